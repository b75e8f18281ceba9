// How fast this machine reads memory: what a decode step, which reads every weight once, is measured against.
#pragma once

#include "base/host.h"

namespace weft::cli {

// Bytes a second that `threads` threads read from a buffer larger than the caches; the best of several passes.
double measure_read_bandwidth(Host& host, int threads);

}  // namespace weft::cli
