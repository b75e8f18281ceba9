// Whose turn it is to use the device: sessions of one model run as coroutines of one thread, and a step's submit and
// read must not be parted by another session's submit of the same plan.
//
//   auto turn = co_await model.turn.enter();   // first come, first served
//   … submit, read …                           // the turn ends with `turn`
#pragma once

#include <coroutine>
#include <utility>

namespace weft {

class Turn {
 public:
  class Guard {
   public:
    explicit Guard(Turn* owner) : owner_(owner) {}
    Guard(Guard&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (owner_) owner_->leave();
    }

   private:
    Turn* owner_;
  };

  // Lives in the waiting coroutine's frame, and leaves the queue if that frame is destroyed while waiting.
  class Waiter {
   public:
    explicit Waiter(Turn* owner) : owner_(owner) {}
    Waiter(const Waiter&) = delete;
    ~Waiter() {
      if (waiting_) owner_->remove(this);
    }
    bool await_ready() noexcept { return !std::exchange(owner_->taken_, true); }
    void await_suspend(std::coroutine_handle<> handle) noexcept {
      handle_ = handle;
      waiting_ = true;
      Waiter** end = &owner_->first_;
      while (*end) end = &(*end)->next_;
      *end = this;
    }
    Guard await_resume() noexcept { return Guard(owner_); }

   private:
    friend class Turn;
    Turn* owner_;
    Waiter* next_ = nullptr;
    std::coroutine_handle<> handle_;
    bool waiting_ = false;
  };

  Waiter enter() { return Waiter(this); }
  bool wanted() const { return first_ != nullptr; }  // whether someone waits

 private:
  void leave() {
    Waiter* next = first_;
    if (!next) {
      taken_ = false;
      return;
    }
    first_ = next->next_;
    next->waiting_ = false;
    next->handle_.resume();  // the turn passes on without becoming free
  }
  void remove(Waiter* waiter) {
    for (Waiter** at = &first_; *at; at = &(*at)->next_) {
      if (*at != waiter) continue;
      *at = waiter->next_;
      return;
    }
  }

  bool taken_ = false;
  Waiter* first_ = nullptr;
};

}  // namespace weft
