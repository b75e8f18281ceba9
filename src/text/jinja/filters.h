// The tables of filters and tests, looked up by the parser.
#pragma once

#include <string_view>

#include "text/jinja/interp.h"

namespace weft::jinja {

struct Filter : Named {};
struct Test : Named {};

const Filter* find_filter(std::string_view name);
const Test* find_test(std::string_view name);
// Two parts of the table of filters, each in a file of its own.
std::span<const Filter> text_filters();
std::span<const Filter> item_filters();

}  // namespace weft::jinja
