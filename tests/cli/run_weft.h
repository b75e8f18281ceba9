// Runs the built program and keeps what it said.
//
//   Ran ran = weft({"tokenize", "-p", "Hello"});
//   EXPECT_EQ(ran.status, 0) << ran.err;
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "support/support.h"

namespace weft::test {

struct Ran {
  int status = -1;  // exit status; 128 + signal where one ended it
  std::string out, err;
};

struct RunOptions {
  std::string input;
  std::map<std::string, std::string> environment;  // added; an empty value removes
  long file_size_limit = 0;                        // RLIMIT_FSIZE in bytes: writes beyond it fail like on a full disk
  double interrupt_after = 0;                      // seconds; 0: never
};
Ran weft(std::vector<std::string> arguments, const RunOptions& options = {});

// The document on stdout; an empty object and a failed test where it is none.
OrderedJson parse_output(const Ran& ran);

// stderr ends in the one line "weft: …" that names `named`, and stdout is empty.
void expect_one_line_error(const Ran& ran, int status, const std::string& named);

// The program on a terminal of its own.
class Terminal {
 public:
  explicit Terminal(std::vector<std::string> arguments);
  ~Terminal();
  void type(std::string_view keys);
  // Reads until `text` appeared after what was waited for before; false after `seconds`.
  bool wait_for(std::string_view text, double seconds = 60);
  int wait_exit(double seconds = 60);  // exit status, -1: still running (and ended)
  const std::string& screen() const { return seen_; }

 private:
  bool read_some(double seconds);
  pid_t child_ = -1;
  int fd_ = -1;
  std::string seen_;
  size_t position_ = 0;
};

// Files that tests share, made once.
const std::string& tiny_model();  // weft synth tiny, q8_0
std::string golden_llama();       // tests/golden/llama/model.gguf

}  // namespace weft::test
