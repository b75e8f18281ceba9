/* Prints a story from the model built into the library, or from the file named on the command line.
 *
 *   cc hello.c $(pkg-config --cflags --libs weft) -o hello && ./hello [model.gguf] */
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

static int show(void* user, const weft_token* token) {
  (void)user;
  fwrite(token->text, 1, token->text_length, stdout);
  fflush(stdout);
  return 0;
}

static int failed(const weft_error* error) {
  fprintf(stderr, "hello: %s\n", error->message);
  return 1;
}

int main(int argc, char** argv) {
  const char* prompt = "Once upon a time";
  weft_error error;
  weft_model* model;
  weft_session* session;
  weft_result* result;
  weft_generate_options options;

  if (weft_load(argc > 1 ? argv[1] : NULL, NULL, &model, &error) != 0) return failed(&error);
  if (weft_session_new(model, &session, &error) != 0) return failed(&error);

  weft_generate_options_init(&options, sizeof options);
  options.max_tokens = 60;
  options.seed = 7;
  options.on_token = show;
  fputs(prompt, stdout);
  if (weft_generate(session, prompt, &options, &result, &error) != 0) return failed(&error);
  printf("\n[%s, weft %s]\n", weft_result_stop(result), weft_version());

  weft_result_free(result);
  weft_session_free(session);
  weft_model_free(model);
  return 0;
}
