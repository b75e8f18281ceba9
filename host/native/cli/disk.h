// Errors and room of the file system. Files themselves are written with weft::create_file (native_host.h).
#pragma once

#include <string>

#include "base/result.h"

namespace weft::cli {

// "path: what, found No space left on device (…)" from errno.
Error system_error(const std::string& where, std::string what, int error_number);

// Bytes that can still be written beside `path`, or -1 where that is not known.
int64_t free_space(const std::string& path);

// io if `path` would not fit: asked before hours of work, not after.
Status check_space(const std::string& path, int64_t bytes);

}  // namespace weft::cli
