// config.json of a Hugging Face model as the metadata that a GGUF file of the same model would carry, so that nothing
// above knows which of the two it came from. The keys are the table "Model settings" in docs/file-formats.md; numbers
// that GGUF stores as f32 are rounded to f32 here too.
#pragma once

#include "base/json.h"
#include "base/metadata.h"

namespace weft {

// `where` is config.json's own name, for messages; `source` the model's. An unknown model_type becomes
// `general.architecture` as it is, with the settings that all architectures share.
Result<Metadata> metadata_from_config(const Json& config, const std::string& where, const std::string& source);

// Adds what generation_config.json and tokenizer_config.json know: more end-of-text ids, the chat template, whether
// the tokenizer puts a beginning-of-text token first. Fields of other types than expected are errors.
Status add_side_config(const Json& config, const std::string& where, Metadata& metadata);

}  // namespace weft
