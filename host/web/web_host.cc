#include "web_host.h"

#include <atomic>

#include "base/pending.h"
#include "imports.h"

namespace weft {
namespace {

class WebSource final : public ByteSource {
 public:
  WebSource(std::string name, uint32_t source)
      : name_(std::move(name)), source_(source), size_(static_cast<uint64_t>(weft_source_size(source))) {}
  ~WebSource() override { weft_source_close(source_); }
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return size_; }
  Task<Status> read(uint64_t offset, std::span<std::byte> out) override {
    if (offset > size_ || out.size() > size_ - offset)
      co_return fail(Code::io, name_, "read of " + std::to_string(out.size()) + " bytes at " + std::to_string(offset),
                     "inside " + std::to_string(size_) + " bytes", "beyond the end");
    if (out.empty()) co_return Status{};
    Pending answer;
    if (weft_source_read(answer.number(), source_, static_cast<double>(offset), out.data(), out.size()))
      co_return Status{};
    WEFT_CO_CHECK_OK(co_await answer.ended(name_));
    co_return Status{};
  }

 private:
  std::string name_;
  uint32_t source_;
  uint64_t size_;
};

// Workers are there and wait, so each enters and, told to end by the pool, leaves without help of the event loop.
class WebWorkers final : public Workers {
 public:
  explicit WebWorkers(std::function<void(int)> body) : body_(std::move(body)) {}
  ~WebWorkers() override {
    while (left_.load(std::memory_order_acquire) != started) {
    }
  }
  void enter(int worker) {
    body_(worker);
    left_.fetch_add(1, std::memory_order_release);
  }
  int started = 0;

 private:
  std::function<void(int)> body_;
  std::atomic<int> left_{0};
};

}  // namespace

Result<std::unique_ptr<ByteSource>> WebHost::open(const std::string& path) {
  const uint32_t source = weft_source_open(path.data(), path.size());
  if (!source) return fail(Code::not_found, path, "opening", "a file that was given", "none of this name");
  return std::make_unique<WebSource>(path, source);
}

void WebHost::log(LogLevel level, std::string_view text) {
  weft_log(static_cast<uint32_t>(level), text.data(), text.size());
}

double WebHost::now() { return weft_now(); }

Task<void> WebHost::yield() {
  Pending turn;
  weft_yield(turn.number());
  (void)co_await turn.ended("yield");
}

int WebHost::cores() { return 1 + static_cast<int>(weft_threads()); }

std::unique_ptr<Workers> WebHost::start_workers(int count, std::function<void(int)> body) {
  if (count <= 0) return nullptr;
  auto workers = std::make_unique<WebWorkers>(std::move(body));
  if (!weft_threads_start(static_cast<uint32_t>(count), workers.get())) return nullptr;
  workers->started = count;
  return workers;
}

}  // namespace weft

extern "C" __attribute__((export_name("weft_thread"))) void weft_thread(void* workers, int worker) {
  static_cast<weft::WebWorkers*>(workers)->enter(worker);
}
