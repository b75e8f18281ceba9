#include "text/vocab.h"

#include <algorithm>
#include <bit>

#include "text/flat_map.h"

namespace weft {

void Vocab::reserve(size_t tokens, size_t bytes) {
  tokens = std::min<size_t>(tokens, kMaxTokens);
  pool_.reserve(bytes);
  spans_.reserve(tokens);
  types_.reserve(tokens);
  scores_.reserve(tokens);
  given_.reserve(tokens);
  if (tokens * 3 / 2 > slots_.size()) rehash(std::bit_ceil(tokens * 3 / 2 + 2));
}

void Vocab::rehash(size_t slots) {
  slots_.assign(slots, {});
  used_ = 0;
  for (int32_t id = 0; id < size(); ++id)
    if (spans_[id].size > 0) insert(id, hash_bytes(text(id)));
}

void Vocab::insert(int32_t id, uint64_t hash) {
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  while (slots_[i].id >= 0) i = (i + 1) & mask;
  slots_[i] = {static_cast<uint32_t>(hash >> 32), id};
  ++used_;
}

int32_t Vocab::find(std::string_view wanted) const {
  if (slots_.empty() || wanted.empty()) return -1;
  const uint64_t hash = hash_bytes(wanted);
  const uint32_t tag = static_cast<uint32_t>(hash >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask; slots_[i].id >= 0; i = (i + 1) & mask)
    if (slots_[i].tag == tag && text(slots_[i].id) == wanted) return slots_[i].id;
  return -1;
}

Status Vocab::add(int64_t id, std::string_view text, TokenType type, float score) {
  if (id < 0 || id >= kMaxTokens)
    return fail(Code::limit, where_, "token id", "0 to " + std::to_string(kMaxTokens - 1), std::to_string(id));
  if (text.size() > kMaxPieceBytes)
    return fail(Code::limit, where_, "token " + std::to_string(id), "at most 16384 bytes",
                std::to_string(text.size()) + " bytes");
  if (int32_t other = find(text); other >= 0)
    return fail(Code::bad_file, where_, "token " + std::to_string(id), "a text that no other token has",
                "'" + std::string(text) + "', which is token " + std::to_string(other));
  if (id >= size()) {
    const size_t count = static_cast<size_t>(id) + 1;
    spans_.resize(count);
    types_.resize(count, TokenType::unused);
    scores_.resize(count);
    given_.resize(count);
  }
  if (given_[id])
    return fail(Code::bad_file, where_, "token id " + std::to_string(id), "one text",
                "'" + std::string(this->text(static_cast<int32_t>(id))) + "' and '" + std::string(text) + "'");
  given_[id] = true;
  spans_[id] = {static_cast<uint32_t>(pool_.size()), static_cast<uint32_t>(text.size())};
  pool_.append(text);
  types_[id] = type;
  scores_[id] = score;
  longest_ = std::max(longest_, text.size());
  if (text.empty()) return {};
  if ((used_ + 1) * 4 > slots_.size() * 3) {
    rehash(std::max<size_t>(16, slots_.size() * 2));  // takes in the new token as well
  } else {
    insert(static_cast<int32_t>(id), hash_bytes(text));
  }
  return {};
}

}  // namespace weft
