// The table of tokens: id -> text, kind and score, and text -> id.
//
//   Vocab vocab("model.gguf");
//   WEFT_CHECK_OK(vocab.add(0, "hello", TokenType::normal));
//   int32_t id = vocab.find("hello");   // -1 if there is none
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft {

// The numbers are those of GGUF's tokenizer.ggml.token_type.
enum class TokenType : uint8_t {
  undefined = 0,
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

class Vocab {
 public:
  static constexpr int32_t kMaxTokens = 1 << 22;
  static constexpr size_t kMaxPieceBytes = 1 << 14;

  explicit Vocab(std::string where = {}) : where_(std::move(where)) {}

  void reserve(size_t tokens, size_t bytes);
  // Ids may come in any order and leave holes (empty pieces). Two tokens of one id, two ids of one text, an id or a
  // text beyond the limits: an error. An empty text is a token that no text can produce.
  Status add(int64_t id, std::string_view text, TokenType type, float score = 0);
  void set_type(int32_t id, TokenType type) { types_[id] = type; }

  int32_t size() const { return static_cast<int32_t>(spans_.size()); }
  int32_t find(std::string_view text) const;
  std::string_view text(int32_t id) const { return {pool_.data() + spans_[id].begin, spans_[id].size}; }
  TokenType type(int32_t id) const { return types_[id]; }
  float score(int32_t id) const { return scores_[id]; }
  bool contains(int64_t id) const { return id >= 0 && id < size(); }
  size_t longest() const { return longest_; }  // bytes
  const std::string& where() const { return where_; }

 private:
  struct Span {
    uint32_t begin = 0, size = 0;
  };
  struct Slot {
    uint32_t tag = 0;
    int32_t id = -1;
  };
  void rehash(size_t slots);
  void insert(int32_t id, uint64_t hash);

  std::string where_;
  std::string pool_;
  std::vector<Span> spans_;
  std::vector<TokenType> types_;
  std::vector<float> scores_;
  std::vector<bool> given_;
  std::vector<Slot> slots_;
  size_t used_ = 0, longest_ = 0;
};

}  // namespace weft
