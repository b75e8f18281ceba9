// Shared by all tests: where data is, a Host of memory and local files, and assertions for Result.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/host.h"

namespace weft::test {

std::string source_dir();  // the checkout
// tests/golden/<name>; fails the test run if it is missing (goldens are committed).
std::string golden_dir(const std::string& name);
// ../shared/data/<name> where that exists. A test without it must say so:
//   auto path = shared_data("lm/stories260K"); if (!path) GTEST_SKIP() << "skipped: no shared data";
std::optional<std::string> shared_data(const std::string& name);
bool file_exists(const std::string& path);
std::vector<std::string> files_in(const std::string& folder);  // their paths, of a folder of the checkout
std::string read_text(const std::string& path);                // aborts if it cannot be read
void write_text(const std::string& path, std::string_view text);
std::string temp_path(const std::string& name);  // unique to this process, removed at exit

// A source over bytes in memory; `mapped` can be withheld to test the reading path.
std::unique_ptr<ByteSource> memory_source(std::string name, std::string bytes, bool map = true);

// Reads local files with ordinary calls (not mapped), starts real threads, records the log.
class TestHost : public Host {
 public:
  Result<std::unique_ptr<ByteSource>> open(const std::string& path) override;
  void log(LogLevel level, std::string_view text) override;
  double now() override;
  Task<void> yield() override;
  int cores() override;
  std::unique_ptr<Workers> start_workers(int count, std::function<void(int)> body) override;
  std::vector<std::string> logged;
  int yields = 0;
};

// What a task waits for goes on. Natively nothing suspends in a test host and this fails; in a browser another worker
// answers meanwhile (tests/browser/programs).
void wait();

// Runs a task to its end.
template <class T>
T run(Task<T> task) {
  return run_to_end(std::move(task), [] { wait(); });
}

}  // namespace weft::test

// ASSERT that a Result holds a value, printing the error's message if not.
#define ASSERT_OK(...)                                                 \
  do {                                                                 \
    auto&& ok_result = (__VA_ARGS__);                                  \
    ASSERT_TRUE(ok_result.has_value()) << ok_result.error().message(); \
  } while (0)
#define EXPECT_OK(...)                                                 \
  do {                                                                 \
    auto&& ok_result = (__VA_ARGS__);                                  \
    EXPECT_TRUE(ok_result.has_value()) << ok_result.error().message(); \
  } while (0)
// ASSERT_OK_AND(auto value, expression);
#define ASSERT_OK_AND(binding, ...) ASSERT_OK_AND_AS(WEFT_CONCAT(ok_value_, __LINE__), binding, __VA_ARGS__)
#define ASSERT_OK_AND_AS(name, binding, ...)               \
  auto name = (__VA_ARGS__);                               \
  ASSERT_TRUE(name.has_value()) << name.error().message(); \
  binding = *std::move(name)
#define EXPECT_ERROR(wanted, ...)                                                                         \
  do {                                                                                                    \
    auto&& error_result = (__VA_ARGS__);                                                                  \
    ASSERT_FALSE(error_result.has_value()) << "expected an error";                                        \
    EXPECT_EQ(code_name(error_result.error().code), code_name(wanted)) << error_result.error().message(); \
  } while (0)
