// Sessions as bytes. Little-endian: "WEFTSTAT", u32 version, u32 0, u64 fingerprint of the model, u64 fingerprint of
// the states' names and types, u64 count of tokens, i32 ids …, then for each state u64 length and its bytes, then u64
// FNV-1a of all that precedes.
#include <bit>
#include <cstring>

#include "session/model_impl.h"

static_assert(std::endian::native == std::endian::little, "saved states are written as they lie in memory");

namespace weft {
namespace {

constexpr char kMagic[] = {'W', 'E', 'F', 'T', 'S', 'T', 'A', 'T'};
constexpr uint32_t kVersion = 1;

struct Header {
  char magic[8];
  uint32_t version, reserved;
  uint64_t model, states, tokens;
};

struct Fnv {  // FNV-1a, 64 bits (Fowler, Noll, Vo)
  uint64_t value = 0xCBF29CE484222325;
  void add(std::span<const std::byte> bytes) {
    for (std::byte byte : bytes) value = (value ^ static_cast<uint64_t>(byte)) * 0x100000001B3;
  }
  void add(std::string_view text) {
    add(std::as_bytes(std::span(text)));
    add(static_cast<int64_t>(text.size()));
  }
  void add(int64_t number) { add(std::as_bytes(std::span(&number, 1))); }
};

uint64_t states_fingerprint(const Model& model) {
  Fnv fnv;
  for (const StateDecl& state : model.states) {
    fnv.add(state.name);
    fnv.add(name(state.dtype));
    for (int i = 0; i < state.shape.rank; ++i) {
      fnv.add(state.shape[i].count);
      fnv.add(static_cast<int64_t>(state.shape[i].symbol));
    }
  }
  return fnv.value;
}

std::unexpected<Error> damaged(std::string what, std::string expected, std::string found) {
  return fail(Code::bad_file, "saved session", std::move(what), std::move(expected), std::move(found));
}

}  // namespace

Task<Result<uint64_t>> LanguageModel::Impl::model_fingerprint() {
  if (fingerprint) co_return *fingerprint;
  Fnv fnv;
  fnv.add(model.architecture);
  if (!weights) {
    for (const WeightDecl& weight : model.weights) fnv.add(weight.name);
    co_return fnv.value;
  }
  TensorFile& file = weights->file();
  for (const TensorInfo& tensor : file.tensors()) {
    fnv.add(tensor.name);
    fnv.add(name(tensor.dtype));
    for (int64_t size : tensor.shape) fnv.add(size);
    std::byte sample[64];  // from the middle: the ends of embeddings are often unused rows
    const uint64_t count = std::min<uint64_t>(sizeof sample, tensor.bytes);
    const std::span<std::byte> bytes(sample, count);
    WEFT_CO_CHECK_OK(co_await file.source(tensor.part).read(tensor.offset + (tensor.bytes - count) / 2, bytes));
    fnv.add(bytes);
  }
  fingerprint = fnv.value;
  co_return fnv.value;
}

Task<Result<std::vector<std::byte>>> Session::save() {
  LanguageModel::Impl& model = *impl_->model;
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  WEFT_CO_TRY(header.model, co_await model.model_fingerprint());
  header.states = states_fingerprint(model.model);
  header.tokens = impl_->tokens.size();

  std::vector<std::byte> out;
  const auto append = [&](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
  append(std::as_bytes(std::span(&header, 1)));
  append(std::as_bytes(std::span(impl_->tokens)));
  auto turn = co_await model.turn.enter();
  for (size_t i = 0; i < model.model.states.size(); ++i) {
    const int64_t cells = static_cast<int64_t>(impl_->tokens.size());
    WEFT_CO_TRY(const auto state, co_await model.device->read_state(static_cast<int>(i), impl_->slot, cells));
    const uint64_t length = state.size();
    append(std::as_bytes(std::span(&length, 1)));
    append(state);
  }
  Fnv fnv;
  fnv.add(out);
  append(std::as_bytes(std::span(&fnv.value, 1)));
  co_return out;
}

Task<Status> Session::restore(std::span<const std::byte> bytes) {
  LanguageModel::Impl& model = *impl_->model;
  Header header;
  if (bytes.size() < sizeof header + sizeof(uint64_t) || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0)
    co_return damaged("header", "a saved session", "other bytes");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version != kVersion)
    co_return fail(Code::unsupported, "saved session", "version", std::to_string(kVersion),
                   std::to_string(header.version));
  uint64_t sum;
  std::memcpy(&sum, bytes.data() + bytes.size() - sizeof sum, sizeof sum);
  bytes = bytes.first(bytes.size() - sizeof sum);
  Fnv fnv;
  fnv.add(bytes);
  if (fnv.value != sum) co_return damaged("checksum", "that of its bytes", "another: damaged or truncated");
  bytes = bytes.subspan(sizeof header);

  WEFT_CO_TRY(const uint64_t own, co_await model.model_fingerprint());
  if (header.model != own) co_return fail(Code::mismatch, "saved session", "model", model.path, "another model");
  if (header.states != states_fingerprint(model.model))
    co_return fail(Code::mismatch, "saved session", "states", "those of this model with this type of KV cache",
                   "others", "load the model with the --kv it was saved with");
  if (header.tokens > static_cast<uint64_t>(model.context))
    co_return fail(Code::context_full, "saved session", "tokens", "at most " + std::to_string(model.context),
                   std::to_string(header.tokens));
  if (bytes.size() < header.tokens * sizeof(int32_t)) co_return damaged("tokens", "all of them", "too few bytes");
  std::vector<int32_t> tokens(header.tokens);
  if (!tokens.empty()) std::memcpy(tokens.data(), bytes.data(), tokens.size() * sizeof(int32_t));
  bytes = bytes.subspan(tokens.size() * sizeof(int32_t));
  for (int32_t id : tokens)
    if (id < 0 || id >= model.model.vocab_size) co_return damaged("token", "an id of this model", std::to_string(id));

  std::vector<std::span<const std::byte>> states;
  for (size_t i = 0; i < model.model.states.size(); ++i) {
    uint64_t length = 0;
    if (bytes.size() < sizeof length) co_return damaged("states", "all of them", "too few bytes");
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes = bytes.subspan(sizeof length);
    const StateDecl& state = model.model.states[i];
    if (length > bytes.size()) co_return damaged(state.name, std::to_string(length) + " bytes", "too few");
    states.push_back(bytes.first(length));
    bytes = bytes.subspan(length);
  }
  if (!bytes.empty()) co_return damaged("end", "the last state", std::to_string(bytes.size()) + " bytes more");

  // From here on a failure leaves an empty session, not half of one.
  WEFT_CO_CHECK_OK(co_await impl_->clear_states());
  {
    auto turn = co_await model.turn.enter();
    for (size_t i = 0; i < states.size(); ++i)
      WEFT_CO_CHECK_OK(co_await model.device->write_state(static_cast<int>(i), impl_->slot,
                                                          static_cast<int64_t>(tokens.size()), states[i]));
  }
  impl_->tokens = std::move(tokens);
  co_return Status{};
}

Task<Status> Session::reset() { return impl_->clear_states(); }

Task<Status> Session::truncate(int64_t count) {
  const int64_t held = static_cast<int64_t>(impl_->tokens.size());
  if (count < 0 || count > held)
    co_return fail(Code::invalid_argument, "session", "tokens to keep", "from 0 to " + std::to_string(held),
                   std::to_string(count));
  const std::vector<int32_t> wanted(impl_->tokens.begin(), impl_->tokens.begin() + count);
  WEFT_CO_CHECK_OK(co_await impl_->rewind(count));
  const size_t chunk = static_cast<size_t>(impl_->model->chunk->tokens);
  for (size_t at = impl_->tokens.size(); at < wanted.size(); at = impl_->tokens.size())
    WEFT_CO_CHECK_OK(
        co_await impl_->advance(std::span(wanted).subspan(at, std::min(chunk, wanted.size() - at)), nullptr, false));
  co_return Status{};
}

}  // namespace weft
