// Typed access to the members of a configuration in JSON. A member that is null counts as absent, as transformers
// writes unset fields; a member of the wrong type is an error that names the file, the field and both types.
#pragma once

#include <optional>
#include <vector>

#include "base/json.h"

namespace weft {

class ConfigFields {
 public:
  ConfigFields() = default;  // no object: false
  ConfigFields(const Json& object, std::string where, std::string prefix = {})
      : object_(&object), where_(std::move(where)), prefix_(std::move(prefix)) {}

  explicit operator bool() const { return object_ != nullptr; }
  const std::string& where() const { return where_; }
  std::string path(std::string_view field) const { return "'" + prefix_ + std::string(field) + "'"; }
  bool has(std::string_view field) const { return find(field) != nullptr; }
  // The error for a field that is not what it should be.
  std::unexpected<Error> wrong(std::string_view field, std::string expected) const;

  Result<std::optional<std::string>> string(std::string_view field) const;
  Result<bool> boolean(std::string_view field, bool fallback) const;
  Result<double> number(std::string_view field, double fallback) const;  // finite
  // From 1 to 2^31 - 1; without a fallback (-1) the field must be there.
  Result<int64_t> positive(std::string_view field, int64_t fallback = -1) const;
  // One integer from 0 to 2^31 - 1 or an array of such; empty where absent.
  Result<std::vector<int64_t>> integers(std::string_view field) const;
  Result<std::vector<std::string>> strings(std::string_view field) const;
  Result<ConfigFields> object(std::string_view field) const;  // false where absent

 private:
  const Json* find(std::string_view field) const;

  const Json* object_ = nullptr;
  std::string where_, prefix_;
};

}  // namespace weft
