// Models for the session's tests: the committed goldens and toys built in memory.
#pragma once

#include <coroutine>
#include <deque>
#include <map>

#include "session/session.h"
#include "support/support.h"

namespace weft::test {

struct GoldenPrompt {
  std::vector<int32_t> ids, greedy;
};
std::vector<GoldenPrompt> golden_prompts(const std::string& name);

// Loads tests/golden/<name>/model.gguf; fails the test and returns null on an error.
std::unique_ptr<LanguageModel> load_golden(Host& host, const std::string& name, LoadOptions options = {.threads = 1});
std::unique_ptr<Session> new_session(LanguageModel& model);
Generated generate(Session& session, GenerateRequest request, std::function<void(const TokenEvent&)> on_token = {});
// Greedy, `count` tokens, past end tokens.
GenerateRequest greedy_request(std::vector<int32_t> prompt, int64_t count);

// Weights in memory, by name.
class MemoryWeights : public WeightReader {
 public:
  MemoryWeights(const Model& model, const std::map<std::string, std::vector<float>>& values);
  std::span<const std::byte> mapped(int weight) override { return std::as_bytes(std::span(values_[weight])); }
  Task<Status> read_rows(int weight, int64_t chunk_bytes,
                         std::function<Status(int64_t first_row, std::span<const std::byte> rows)> sink) override;
  void release(int) override {}

 private:
  std::vector<std::vector<float>> values_;
};

// A host whose yield really suspends: poll() resumes what waits longest.
class SuspendingHost : public TestHost {
 public:
  Task<void> yield() override {
    ++yields;
    co_await Suspend{*this};
  }
  void poll() override {
    if (waiting_.empty()) return;
    const auto handle = waiting_.front();
    waiting_.pop_front();
    handle.resume();
  }
  bool idle() const { return waiting_.empty(); }

 private:
  struct Suspend {
    SuspendingHost& host;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) { host.waiting_.push_back(handle); }
    void await_resume() const {}
  };
  std::deque<std::coroutine_handle<>> waiting_;
};

}  // namespace weft::test
