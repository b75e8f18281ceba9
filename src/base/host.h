// What the library needs from the place it runs in. The native program, the browser and tests each implement it;
// the library itself opens no file, prints nothing, starts no thread and never blocks.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"

namespace weft {

enum class LogLevel { debug, info, warning };

// A file or other range of bytes of known size. Reads may complete later (network, OPFS).
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual const std::string& name() const = 0;  // for messages: the path or URL
  virtual uint64_t size() const = 0;            // bytes
  // Fills `out` from `offset`, or fails; never a partial success. offset + out.size() must be <= size().
  virtual Task<Status> read(uint64_t offset, std::span<std::byte> out) = 0;
  // The whole source as memory where the place can map it, else nullptr. Valid while the source lives.
  virtual const std::byte* mapped() const { return nullptr; }
  // A hint that mapped pages inside this range will not be read soon and may leave memory.
  virtual void release(uint64_t offset, uint64_t size) { (void)offset, (void)size; }
};

// Set from any thread, read between steps of work.
class CancelFlag {
 public:
  void cancel() { flag_.store(true, std::memory_order_relaxed); }
  void reset() { flag_.store(false, std::memory_order_relaxed); }
  bool cancelled() const { return flag_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> flag_{false};
};

class Host {
 public:
  virtual ~Host() = default;
  virtual Result<std::unique_ptr<ByteSource>> open(const std::string& path) = 0;
  virtual void log(LogLevel level, std::string_view text) = 0;
  virtual double now() = 0;  // seconds on a clock that never goes back
  // Gives control back to the event loop once (a no-op natively): long CPU work awaits it every 50 ms.
  virtual Task<void> yield() = 0;
  virtual int cores() { return 1; }  // threads that may run at the same time
  // Workers beside the calling thread: calls body(worker) for worker = 1..count on threads of its own and returns
  // an object whose destruction joins them. Each body runs until its owner tells it to end. Null: no threads here.
  virtual std::unique_ptr<class Workers> start_workers(int count, std::function<void(int)> body) = 0;
  // Progress of whatever is awaited; only run_to_end's pump calls it.
  virtual void poll() {}
};

class Workers {
 public:
  virtual ~Workers() = default;
};

}  // namespace weft
