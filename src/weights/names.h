// The one table between the names of GGUF tensors and Hugging Face paths.
//
//   hf_name("llama", "blk.3.attn_q.weight")            "model.layers.3.self_attn.q_proj.weight"
//   gguf_name("llama", "model.layers.3.self_attn.q_proj.weight")   the other way, for messages
//
// A name that the table does not know stays as it is.
#pragma once

#include <string>
#include <string_view>

namespace weft {

std::string hf_name(std::string_view architecture, std::string_view gguf);
std::string gguf_name(std::string_view architecture, std::string_view hf);

// Published safetensors that also see images keep the language model's tensors under a prefix; without it.
std::string plain_hf_name(std::string_view name);

}  // namespace weft
