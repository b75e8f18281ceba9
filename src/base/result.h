// Errors are values. A function that can fail on input returns Result<T>; the caller either handles the
// Error or passes it on with WEFT_TRY. Internal invariants use CHECK (check.h), which aborts: it must never
// be reachable from input.
//
//   Result<Header> read_header(ByteSource& source) {
//     WEFT_TRY(auto bytes, read_exactly(source, 0, 24));
//     if (magic != kMagic) return fail(Code::bad_file, source.name(), "magic", "'GGUF'", found);
//     ...
//   }
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace weft {

enum class Code : int32_t {
#define WEFT_ERROR(enumerator, name, meaning, hint) enumerator,
#include "base/errors.def"
#undef WEFT_ERROR
};

// "bad-file" for Code::bad_file. Stable: part of the C ABI and of --json output.
std::string_view code_name(Code code);
std::string_view code_meaning(Code code);
std::string_view code_hint(Code code);
int code_count();

struct Error {
  Code code = Code::internal;
  std::string where;     // file, tensor or op the error is about
  std::string what;      // what was looked at
  std::string expected;  // may be empty
  std::string found;     // may be empty
  std::string hint;      // may be empty: then code_hint(code) applies

  // One line: "where: what: expected E, found F (hint) [code-name]". Control characters of hostile input
  // are escaped and each part is cut at 200 bytes.
  std::string message() const;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] std::unexpected<Error> fail(Code code, std::string where, std::string what, std::string expected = {},
                                          std::string found = {}, std::string hint = {});
[[nodiscard]] inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace weft

#define WEFT_CONCAT_INNER(a, b) a##b
#define WEFT_CONCAT(a, b) WEFT_CONCAT_INNER(a, b)

// WEFT_TRY(auto x, expression);  binds the value or returns the error from this function.
#define WEFT_TRY(binding, ...) WEFT_TRY_AS(WEFT_CONCAT(weft_result_, __LINE__), return, binding, __VA_ARGS__)
// The same inside a coroutine.
#define WEFT_CO_TRY(binding, ...) WEFT_TRY_AS(WEFT_CONCAT(weft_result_, __LINE__), co_return, binding, __VA_ARGS__)
#define WEFT_TRY_AS(name, leave, binding, ...)                              \
  auto name = (__VA_ARGS__);                                                \
  if (!name) leave std::unexpected<::weft::Error>(std::move(name).error()); \
  binding = *std::move(name)

// WEFT_CHECK_OK(expression);  returns the error of a Status (or of a Result whose value is not needed).
#define WEFT_CHECK_OK(...)                                                   \
  do {                                                                       \
    if (auto weft_status = (__VA_ARGS__); !weft_status)                      \
      return std::unexpected<::weft::Error>(std::move(weft_status).error()); \
  } while (0)
#define WEFT_CO_CHECK_OK(...)                                                   \
  do {                                                                          \
    if (auto weft_status = (__VA_ARGS__); !weft_status)                         \
      co_return std::unexpected<::weft::Error>(std::move(weft_status).error()); \
  } while (0)
