# Toolchain of the presets wasm and wasm-threads: Debian's clang for wasm32-wasi with its libc++.
set(CMAKE_SYSTEM_NAME WASI)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
set(CMAKE_CXX_COMPILER_TARGET wasm32-wasi)
set(CMAKE_ASM_COMPILER_TARGET wasm32-wasi)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(WASI ON)

# Tail calls: coroutines resume each other in constant stack.
set(weft_wasm_flags "-msimd128 -mtail-call -mbulk-memory -mnontrapping-fptoint -msign-ext")
if(WEFT_WASM_THREADS)
  string(APPEND weft_wasm_flags " -matomics -DWEFT_WASM_THREADS=1")
endif()
set(CMAKE_C_FLAGS_INIT "${weft_wasm_flags}")
set(CMAKE_CXX_FLAGS_INIT "${weft_wasm_flags}")
