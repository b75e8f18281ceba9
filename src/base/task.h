// Task<T>: a lazy coroutine. It starts when awaited (or by `start`), resumes its awaiter by symmetric transfer, so
// that any number of ready awaits run in constant stack, and is destroyed with its Task object.
//
//   Task<Result<int>> load(Host& host) { WEFT_CO_TRY(auto n, co_await size(host)); co_return n + 1; }
//   Result<int> n = run_to_end(load(host), [&] { host.poll(); });   // native programs and tests only
//
// Nothing in the library blocks: only the outermost caller of a native program uses run_to_end.
#pragma once

#include <coroutine>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/check.h"

namespace weft {

template <class T>
class [[nodiscard]] Task;

namespace task_detail {

// Memory of coroutine frames. A thread keeps what it is given back, so a loop that awaits in every turn allocates
// nothing once it has been around.
void* take_frame(size_t bytes);
void give_frame(void* frame, size_t bytes);

struct PromiseBase {
  static void* operator new(size_t bytes) { return take_frame(bytes); }
  static void operator delete(void* frame, size_t bytes) { give_frame(frame, bytes); }

  std::coroutine_handle<> continuation = std::noop_coroutine();

  struct Final {
    bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) noexcept {
      return self.promise().continuation;
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  Final final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { check_failed("no exception crosses a Task", __FILE__, __LINE__); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  void take() {}
};

}  // namespace task_detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Runs until the first suspension that is not ready. Call once, and only if the task is not awaited.
  void start() { handle_.resume(); }
  bool done() const { return handle_.done(); }
  T take() { return handle_.promise().take(); }  // after done()

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  Handle handle_;
};

namespace task_detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}
}  // namespace task_detail

// Starts `task` and calls `pump` until it is done. `pump` must make progress on whatever the task awaits.
template <class T, class Pump>
T run_to_end(Task<T> task, Pump&& pump) {
  task.start();
  while (!task.done()) pump();
  return task.take();
}

}  // namespace weft
