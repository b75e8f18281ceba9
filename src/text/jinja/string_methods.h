// The methods of strings.
#pragma once

#include <span>

#include "text/jinja/interp.h"

namespace weft::jinja {

std::span<const Named> string_methods();

}  // namespace weft::jinja
