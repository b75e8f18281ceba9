// Names of weights as a model file writes them: w / "layers" / 3 / "self_attn" / "q_proj" is
// "model.layers.3.self_attn.q_proj" when w is "model".
#pragma once

#include <string>
#include <string_view>

namespace weft {

class WeightPath {
 public:
  explicit WeightPath(std::string name = {}) : name_(std::move(name)) {}
  WeightPath operator/(std::string_view part) const {
    return WeightPath(name_.empty() ? std::string(part) : name_ + "." + std::string(part));
  }
  WeightPath operator/(int index) const { return *this / std::to_string(index); }
  const std::string& str() const { return name_; }

 private:
  std::string name_;
};

}  // namespace weft
