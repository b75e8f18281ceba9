#include "base/pending.h"

#include <algorithm>
#include <vector>

namespace weft {
namespace {

// Few are under way at once. Numbers do not come again, so that a late answer meets nobody else's question.
struct Open {
  uint32_t number;
  Pending* pending;
};
std::vector<Open>& open_ones() {
  static std::vector<Open> open;
  return open;
}
uint32_t last_number = 0;

}  // namespace

struct Pending::Awaiter {
  Pending& pending;
  bool await_ready() const noexcept { return pending.code_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { pending.waiting_ = waiting; }
  void await_resume() const noexcept {}
};

Pending::Pending() : number_(++last_number) { open_ones().push_back({number_, this}); }

Pending::~Pending() {
  std::erase_if(open_ones(), [this](const Open& open) { return open.pending == this; });
}

Task<Result<std::string>> Pending::ended(std::string where) {
  co_await Awaiter{*this};
  if (*code_ == Code::ok) co_return std::move(text_);
  co_return fail(*code_, std::move(where), std::move(text_));
}

void settle(uint32_t number, Code code, std::string text) {
  const auto found = std::ranges::find(open_ones(), number, &Open::number);
  if (found == open_ones().end() || found->pending->code_) return;
  Pending& pending = *found->pending;
  pending.code_ = code;
  pending.text_ = std::move(text);
  if (pending.waiting_) pending.waiting_.resume();
}

}  // namespace weft
