// The default model as bytes of the program: page-aligned, so that the tensors in it are aligned as in the file and
// whole pages can leave memory once they are repacked. WEFT_BUILTIN_MODEL is the path of the file.
#if defined(__APPLE__)
  .const
#else
  .section .rodata.weft_builtin_model, "a"
#endif
  .balign 16384
  .globl weft_builtin_model_begin
  .hidden weft_builtin_model_begin
weft_builtin_model_begin:
  .incbin WEFT_BUILTIN_MODEL
  .globl weft_builtin_model_end
  .hidden weft_builtin_model_end
weft_builtin_model_end:
#if defined(__linux__)
  .section .note.GNU-stack, "", @progbits
#endif
