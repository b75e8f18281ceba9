/* Weft's C interface: load a model file, generate text. Everything else (weft.hpp, other languages) is built on this.
 *
 *   static int show(void* user, const weft_token* token) {
 *     (void)user;
 *     fwrite(token->text, 1, token->text_length, stdout);
 *     return 0;                                         // anything else stops the answer
 *   }
 *   weft_error error;
 *   weft_model* model;
 *   if (weft_load("model.gguf", NULL, &model, &error) != 0) { fprintf(stderr, "%s\n", error.message); exit(1); }
 *   weft_session* session;
 *   weft_session_new(model, &session, &error);
 *   weft_generate_options options;
 *   weft_generate_options_init(&options, sizeof options);
 *   options.max_tokens = 100;
 *   options.on_token = show;
 *   weft_generate(session, "Once upon a time", &options, NULL, &error);
 *   weft_session_free(session);
 *   weft_model_free(model);
 *
 * Errors. Functions that can fail return 0 or the number of an error code (docs/errors.md) and fill *error, unless it
 * is NULL. Outputs are set on success only. Texts are UTF-8. Those that go in are NUL-terminated unless a length is
 * asked for. Those that come out are NUL-terminated; where the type is char* the caller frees them with weft_free.
 * Threads. A model and all its sessions may be used from any thread; calls on one model run one after the other (a call
 * waits for the one before it), calls on different models at the same time. weft_cancel never waits. Callbacks run on
 * the calling thread and must not call back into the same model, except weft_cancel.
 * Structs begin with their size, set by the _init functions, so that programs keep working with later versions of the
 * library that know more fields. */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && !defined(WEFT_BUILDING_LIBRARY)
#define WEFT_API __declspec(dllimport)
#elif defined(_WIN32)
#define WEFT_API __declspec(dllexport)
#else
#define WEFT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_model weft_model;
typedef struct weft_session weft_session;
typedef struct weft_result weft_result;

typedef struct weft_error {
  int32_t code;       /* 0: none; stable numbers, docs/errors.md */
  char name[28];      /* "bad-file", "context-full" … */
  char message[1024]; /* one line: where, what, expected, found, hint */
} weft_error;

WEFT_API const char* weft_version(void); /* "0.1.0" */
WEFT_API void weft_free(void* memory);   /* what a function here returned as char*, int32_t* or void*; NULL is fine */

/* ---- models ---- */

typedef enum weft_log_level { WEFT_LOG_DEBUG = 0, WEFT_LOG_INFO = 1, WEFT_LOG_WARNING = 2 } weft_log_level;

typedef struct weft_load_options {
  size_t size;
  const char* device;    /* "auto", "cpu" or "webgpu"; NULL: auto */
  const char* kv;        /* type of the KV cache: "f32", "f16" or "q8_0"; NULL: f16 */
  int32_t threads;       /* 0: as many as the processor has */
  int32_t sessions;      /* at the same time; 1 */
  int64_t context;       /* tokens; 0: the model's own, at most 4096 */
  int64_t prefill_chunk; /* tokens a step while reading the prompt; 0: 128. Results do not depend on it */
  /* Bytes read so far and in all; a result other than 0 cancels the load. */
  int (*on_progress)(void* user, int64_t done, int64_t total);
  /* The library prints nothing itself. Called while the model lives, from the thread of the call it is about. */
  void (*on_log)(void* user, weft_log_level level, const char* text);
  void* user; /* for the callbacks */
} weft_load_options;

WEFT_API void weft_load_options_init(weft_load_options* options, size_t size);

/* path: a .gguf file, a .safetensors file or a folder with config.json; NULL: the model built into the library.
 * options: NULL for the defaults. */
WEFT_API int32_t weft_load(const char* path, const weft_load_options* options, weft_model** model, weft_error* error);
/* Its memory is given back when its last session is freed, too. NULL is fine. */
WEFT_API void weft_model_free(weft_model* model);
/* A JSON object: architecture, name, parameters, context, vocabulary, device, memory in bytes, … */
WEFT_API int32_t weft_model_info(weft_model* model, char** json, weft_error* error);

#define WEFT_TOKENIZE_NO_BOS 1u     /* without the tokens that the model puts around a text */
#define WEFT_TOKENIZE_NO_SPECIAL 2u /* "<|im_end|>" in the text is text: for text from strangers */
WEFT_API int32_t weft_tokenize(weft_model* model, const char* text, size_t length, uint32_t flags, int32_t** ids,
                               size_t* count, weft_error* error);
/* The bytes may hold NUL and need not be UTF-8: `length` counts. */
WEFT_API int32_t weft_detokenize(weft_model* model, const int32_t* ids, size_t count, char** text, size_t* length,
                                 weft_error* error);
/* The prompt that the model's chat template makes of a conversation, with the beginning of the answer.
 * messages_json: [{"role": "user", "content": "Hello"}, …]. */
WEFT_API int32_t weft_apply_template(weft_model* model, const char* messages_json, char** prompt, weft_error* error);

/* ---- sessions: conversations ---- */

WEFT_API int32_t weft_session_new(weft_model* model, weft_session** session, weft_error* error);
WEFT_API void weft_session_free(weft_session* session); /* NULL is fine */
/* Forgets the conversation. Not needed for correct results: what a new prompt shares with it is reused, else dropped.
 */
WEFT_API int32_t weft_session_reset(weft_session* session, weft_error* error);
/* The state as bytes, for weft_session_restore with the same model. */
WEFT_API int32_t weft_session_save(weft_session* session, void** bytes, size_t* size, weft_error* error);
WEFT_API int32_t weft_session_restore(weft_session* session, const void* bytes, size_t size, weft_error* error);

typedef struct weft_token {
  size_t size;
  int32_t id;       /* -1: only the rest of the text, held back for a stop string that did not come */
  const char* text; /* whole characters that this token completes, may be ""; valid during the call */
  size_t text_length;
  float logprob; /* natural logarithm, if options.logprobs >= 0, else 0 */
} weft_token;

typedef struct weft_generate_options {
  size_t size;
  int64_t max_tokens;   /* -1: until the model ends or the context is full */
  float temperature;    /* 0.8; 0: always the likeliest token */
  int32_t top_k;        /* 40; 0: off */
  float top_p;          /* 0.95; 1: off */
  float min_p;          /* 0.05; 0: off */
  float repeat_penalty; /* 1: off */
  float frequency_penalty;
  float presence_penalty;
  int32_t penalty_last_n;  /* tokens the penalties look back on; -1: all */
  uint64_t seed;           /* 0, a seed like any other: the same seed gives the same text */
  int32_t logprobs;        /* -1: none; n: of each token and the n best, in weft_result_json */
  int32_t ignore_end;      /* other than 0: goes on past the model's end tokens */
  const char* const* stop; /* stop strings: neither they nor what follows is part of the text */
  size_t stop_count;
  const int32_t* stop_ids; /* besides the model's end tokens */
  size_t stop_id_count;
  const int32_t* bias_ids; /* bias[i] is added to the logit of bias_ids[i]; -INFINITY forbids it */
  const float* bias;
  size_t bias_count;
  int (*on_token)(void* user, const weft_token* token); /* other than 0: stop; the result says "cancelled" */
  void* user;
} weft_generate_options;

WEFT_API void weft_generate_options_init(weft_generate_options* options, size_t size);

/* Continues `prompt`. result: NULL if only the callback matters, else freed with weft_result_free. A call that was
 * cancelled succeeds, with what it made until then. */
WEFT_API int32_t weft_generate(weft_session* session, const char* prompt, const weft_generate_options* options,
                               weft_result** result, weft_error* error);
WEFT_API int32_t weft_generate_ids(weft_session* session, const int32_t* prompt, size_t count,
                                   const weft_generate_options* options, weft_result** result, weft_error* error);
/* The next message of a conversation: weft_apply_template, then generate. Give the whole conversation each time: what
 * the session has already read is not read again. */
WEFT_API int32_t weft_chat(weft_session* session, const char* messages_json, const weft_generate_options* options,
                           weft_result** result, weft_error* error);
/* From any thread, at any time: the call running on this session ends within a step. Does nothing if none is running.
 */
WEFT_API void weft_cancel(weft_session* session);

WEFT_API const char* weft_result_text(const weft_result* result, size_t* length); /* length may be NULL */
WEFT_API const int32_t* weft_result_ids(const weft_result* result, size_t* count);
/* "end-token", "stop-string", "stop-token", "max-tokens", "context-full" or "cancelled". */
WEFT_API const char* weft_result_stop(const weft_result* result);
/* A JSON object: prompt_ids, ids, text, stop, stats (device, kernels, load_ms, ttft_ms, …) and, if asked for, logprobs.
 */
WEFT_API const char* weft_result_json(const weft_result* result);
WEFT_API void weft_result_free(weft_result* result); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
