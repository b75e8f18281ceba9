// How fast this machine reads memory: what a decode step, which reads every weight once, is measured against.
#pragma once

#include "base/host.h"

namespace weft::cli {

// Bytes a second that `threads` threads read from a buffer of `bytes`, again and again; the best of several passes.
// With the bytes of a decode step it is the ceiling of generation on this machine, whichever cache or memory they fit
// in.
double measure_read_bandwidth(Host& host, int threads, int64_t bytes);

}  // namespace weft::cli
