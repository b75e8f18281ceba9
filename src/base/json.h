// JSON for the core: nlohmann-json without exceptions. Parse with parse_json; never call operator[] or get<T>() on a
// value whose type has not been checked (without exceptions a wrong type aborts): use the helpers below.
// The core is built with -fno-exceptions; host/native, which has exceptions, defines NLOHMANN_JSON_NAMESPACE_NO_VERSION
// so that the two builds of this header-only library never share a symbol.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weft {

using Json = nlohmann::json;                 // objects sorted by key
using OrderedJson = nlohmann::ordered_json;  // objects keep insertion order: for small objects and for output

// Limits nesting to 512 levels, so that no later recursion over the value can exhaust the stack.
Result<Json> parse_json(std::string_view text, const std::string& where);
Result<OrderedJson> parse_ordered_json(std::string_view text, const std::string& where);

// Member `key` of an object, or nullptr when `value` is no object or lacks it.
template <class J>
const J* json_member(const J& value, std::string_view key) {
  if (!value.is_object()) return nullptr;
  auto it = value.find(std::string(key));
  return it == value.end() ? nullptr : &*it;
}
// A dump that never fails: invalid UTF-8 is replaced.
template <class J>
std::string dump_json(const J& value, int indent = -1) {
  return value.dump(indent, ' ', false, J::error_handler_t::replace);
}

}  // namespace weft
