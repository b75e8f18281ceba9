// A device with a TokenLoop, made of the CPU's: what a GPU does by itself is done here step by step, when it is
// submitted. It insists on what the loop's contract says and remembers how it was used.
#pragma once

#include "session/session.h"
#include "support/support.h"

namespace weft::test {

// What a test sets and looks at; lives longer than the device.
struct LoopProbe {
  Host* host = nullptr;     // if set, reads suspend
  bool refuse = false;      // start() says `unsupported`
  int64_t lose_after = -1;  // the device is lost in this step, counted over all of advance()
  bool lose_in_read = false;
  bool scripted = false;  // tokens 0, 1, 2 … below 300 and again, without computing or allocating anything

  int starts = 0, reads = 0;
  int64_t steps = 0;                 // of all advances
  int64_t steps_at_first_read = -1;  // of this start
  int64_t most_unread = 0;           // tokens submitted and not read
  int64_t under_way = 0;             // reads begun and not ended
  bool lost = false;
};

Result<std::unique_ptr<Device>> make_fake_loop_device(Host& host, LoopProbe& probe);

}  // namespace weft::test
