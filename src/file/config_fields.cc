#include "file/config_fields.h"

#include <cmath>
#include <limits>

namespace weft {
namespace {

constexpr int64_t kMax = std::numeric_limits<int32_t>::max();

std::optional<int64_t> integer_in(const Json& value, int64_t least) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(kMax)) return std::nullopt;
  const int64_t number = value.get<int64_t>();
  if (number < least || number > kMax) return std::nullopt;
  return number;
}

}  // namespace

const Json* ConfigFields::find(std::string_view field) const {
  const Json* value = object_ ? json_member(*object_, field) : nullptr;
  return value && !value->is_null() ? value : nullptr;
}

std::unexpected<Error> ConfigFields::wrong(std::string_view field, std::string expected) const {
  const Json* value = find(field);
  return fail(Code::bad_file, where_, path(field), std::move(expected),
              value ? dump_json(*value).substr(0, 80) : "nothing");
}

Result<std::optional<std::string>> ConfigFields::string(std::string_view field) const {
  const Json* value = find(field);
  if (!value) return std::nullopt;
  if (!value->is_string()) return wrong(field, "a string");
  return value->get<std::string>();
}

Result<bool> ConfigFields::boolean(std::string_view field, bool fallback) const {
  const Json* value = find(field);
  if (!value) return fallback;
  if (!value->is_boolean()) return wrong(field, "true or false");
  return value->get<bool>();
}

Result<double> ConfigFields::number(std::string_view field, double fallback) const {
  const Json* value = find(field);
  if (!value) return fallback;
  if (!value->is_number() || !std::isfinite(value->get<double>()) ||
      std::abs(value->get<double>()) > std::numeric_limits<float>::max())
    return wrong(field, "a number that fits a float");
  return value->get<double>();
}

Result<int64_t> ConfigFields::positive(std::string_view field, int64_t fallback) const {
  const Json* value = find(field);
  if (!value && fallback > 0) return fallback;
  const auto number = value ? integer_in(*value, 1) : std::nullopt;
  if (!number) return wrong(field, "an integer from 1 to 2147483647");
  return *number;
}

Result<std::vector<int64_t>> ConfigFields::integers(std::string_view field) const {
  std::vector<int64_t> numbers;
  const Json* value = find(field);
  if (!value) return numbers;
  auto add = [&](const Json& item) {
    const auto number = integer_in(item, 0);
    if (number) numbers.push_back(*number);
    return number.has_value();
  };
  bool good = true;
  if (value->is_array())
    for (const Json& item : *value) good = good && add(item);
  else
    good = add(*value);
  if (!good) return wrong(field, "integers from 0 to 2147483647");
  return numbers;
}

Result<std::vector<std::string>> ConfigFields::strings(std::string_view field) const {
  std::vector<std::string> texts;
  const Json* value = find(field);
  if (!value) return texts;
  if (!value->is_array()) return wrong(field, "an array of strings");
  for (const Json& item : *value) {
    if (!item.is_string()) return wrong(field, "an array of strings");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Result<ConfigFields> ConfigFields::object(std::string_view field) const {
  const Json* value = find(field);
  if (!value) return ConfigFields();
  if (!value->is_object()) return wrong(field, "an object");
  return ConfigFields(*value, where_, prefix_ + std::string(field) + ".");
}

}  // namespace weft
