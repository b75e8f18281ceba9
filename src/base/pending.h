// An operation that the place outside answers later, by its number: in a browser, JavaScript.
//
//   Pending answer;
//   read_file(answer.number(), …);                          // ends in settle(number, …), now or later
//   WEFT_CO_TRY(const std::string text, co_await answer.ended("reading model.gguf"));
//
// All of it belongs to one thread. An operation whose task was destroyed meanwhile may still be settled: nothing
// happens.
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/task.h"

namespace weft {

class Pending {
 public:
  Pending();
  ~Pending();
  Pending(const Pending&) = delete;

  uint32_t number() const { return number_; }
  // The answer's text, or its error: the text says what was found, `where` what it was about.
  Task<Result<std::string>> ended(std::string where);

 private:
  friend void settle(uint32_t number, Code code, std::string text);
  struct Awaiter;
  uint32_t number_;
  std::optional<Code> code_;
  std::string text_;
  std::coroutine_handle<> waiting_;
};

// Ends the operation and goes on with who awaits it.
void settle(uint32_t number, Code code, std::string text);

}  // namespace weft
