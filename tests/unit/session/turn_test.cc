#include "session/turn.h"

#include <vector>

#include "base/task.h"
#include "support/support.h"

namespace weft {
namespace {

// An event that coroutines wait for.
struct Event {
  std::coroutine_handle<> waiting;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) { waiting = handle; }
  void await_resume() const {}
  void happen() { std::exchange(waiting, nullptr).resume(); }
};

Task<void> use(Turn& turn, Event& event, std::vector<int>& order, int who) {
  auto held = co_await turn.enter();
  order.push_back(who);
  co_await event;
  order.push_back(-who);
}

TEST(Turn, FirstComeFirstServed) {
  Turn turn;
  Event event;
  std::vector<int> order;
  auto a = use(turn, event, order, 1), b = use(turn, event, order, 2), c = use(turn, event, order, 3);
  a.start();
  b.start();
  c.start();
  EXPECT_EQ(order, (std::vector<int>{1}));
  event.happen();
  EXPECT_TRUE(a.done());
  EXPECT_EQ(order, (std::vector<int>{1, -1, 2}));
  event.happen();
  event.happen();
  EXPECT_EQ(order, (std::vector<int>{1, -1, 2, -2, 3, -3}));
  auto d = use(turn, event, order, 4);  // free again
  d.start();
  event.happen();
  EXPECT_EQ(order.back(), -4);
}

TEST(Turn, ADestroyedWaiterLeavesTheQueue) {
  Turn turn;
  Event event;
  std::vector<int> order;
  auto a = use(turn, event, order, 1);
  a.start();
  {
    auto b = use(turn, event, order, 2);
    b.start();
  }
  auto c = use(turn, event, order, 3);
  c.start();
  event.happen();
  EXPECT_EQ(order, (std::vector<int>{1, -1, 3}));
  event.happen();
}

}  // namespace
}  // namespace weft
