# weft_layer(NAME DEPS …): a static library weft_NAME of src/NAME/**/*.cc, built without exceptions and RTTI.
add_library(weft_flags INTERFACE)
target_compile_options(weft_flags INTERFACE -stdlib=libc++ -Wall -Wextra -Wno-missing-field-initializers
                       -fvisibility=hidden $<$<BOOL:${WEFT_WERROR}>:-Werror>)
if(WASI)
  # A page downloads the module, so all of it is optimised together: 4 % smaller. It never exits and starts no thread that
  # makes statics.
  target_compile_options(weft_flags INTERFACE -flto
                         $<$<COMPILE_LANGUAGE:CXX>:-fno-c++-static-destructors -fno-threadsafe-statics>)
  target_link_options(weft_flags INTERFACE -stdlib=libc++ -flto -Wl,--gc-sections -Wl,-mllvm,-enable-merge-functions)
else()
  target_link_options(weft_flags INTERFACE -stdlib=libc++ -fuse-ld=lld-19 -static-libstdc++ -Wl,--gc-sections)
endif()
target_include_directories(weft_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
if(WEFT_SANITIZE)
  target_compile_options(weft_flags INTERFACE -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(weft_flags INTERFACE -fsanitize=${WEFT_SANITIZE})
endif()
if(WEFT_FUZZ)
  target_compile_options(weft_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_library(weft_core_flags INTERFACE)
target_link_libraries(weft_core_flags INTERFACE weft_flags)
target_compile_options(weft_core_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti> -ffunction-sections)

# Highway's headers only: the dispatch between instruction sets is src/ops/simd.h, so nothing is linked.
add_library(weft_highway INTERFACE)
target_include_directories(weft_highway SYSTEM INTERFACE ${WEFT_DEPS}/include)

# Dawn is loaded at run time (src/gpu/dawn.cc), so nothing links it and everything else works without it. Its headers come
# from the system's Dawn if there is one, else from the private prefix.
if(NOT WASI)
  find_library(WEFT_SYSTEM_DAWN NAMES libwebgpu_dawn.so.0)
endif()
set(weft_prefix_lib ${WEFT_DEPS}/prefix/usr/lib/x86_64-linux-gnu)
set(weft_private_dawn OFF)
if(NOT WEFT_SYSTEM_DAWN AND EXISTS ${weft_prefix_lib}/libwebgpu_dawn.so.0)
  set(weft_private_dawn ON)
endif()
add_library(weft_webgpu INTERFACE)
if(NOT WEFT_SYSTEM_DAWN)
  target_include_directories(weft_webgpu SYSTEM INTERFACE ${WEFT_DEPS}/include)
endif()

# weft_gpu_program(TARGET): a program of the build folder that finds the prefix's Dawn and its drivers. They need the prefix's
# newer C library, so the program is started by the prefix's loader. RPATH, not RUNPATH: it also serves what libraries load.
function(weft_gpu_program target)
  if(weft_private_dawn)
    target_link_options(${target} PRIVATE -Wl,--dynamic-linker=${weft_prefix_lib}/ld-linux-x86-64.so.2
                        -Wl,--disable-new-dtags,-rpath,${weft_prefix_lib})
  endif()
endfunction()

# weft_gpu_test(TARGET ARGS…): runs the test program once on each software GPU, as NAME.lavapipe and NAME.swiftshader
# (test_NAME is the target). A driver that is not there is a test that fails: WEFT_TEST_GPU says that a GPU is due.
function(weft_gpu_test target)
  weft_gpu_program(${target})
  string(REGEX REPLACE "^test_" "" name ${target})
  foreach(driver lavapipe swiftshader)
    add_test(NAME ${name}.${driver} COMMAND ${target} ${ARGN})
    set_tests_properties(${name}.${driver} PROPERTIES LABELS gpu TIMEOUT 1800 ENVIRONMENT
                         "WEFT_TEST_GPU=${driver};VK_DRIVER_FILES=${WEFT_DEPS}/${driver}_icd.json")
  endforeach()
endfunction()

function(weft_layer name)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  if(WASI)  # where the GPU is JavaScript's (web*.cc), else Dawn's
    list(FILTER sources EXCLUDE REGEX "/gpu/dawn[^/]*$")
  else()
    list(FILTER sources EXCLUDE REGEX "/gpu/web_[^/]*$")
  endif()
  if(NOT sources)
    add_library(weft_${name} INTERFACE)
    set(scope INTERFACE)
  else()
    add_library(weft_${name} STATIC ${sources})
    set(scope PUBLIC)
    set_property(GLOBAL APPEND PROPERTY WEFT_LAYERS weft_${name})
  endif()
  target_link_libraries(weft_${name} ${scope} weft_core_flags)
  if(name STREQUAL ops OR name STREQUAL cpu OR name STREQUAL weights)
    target_link_libraries(weft_${name} ${scope} weft_highway)
  endif()
  # What is not an inner loop is compiled for size.
  if(WASI AND sources)
    target_compile_options(weft_${name} PRIVATE -Oz)
    set(inner ${sources})
    list(FILTER inner INCLUDE REGEX "[.]cpu[.]cc$|[.]simd128[.]cc$|/(rows16|sampler|softmax)[.]cc$")
    set_property(SOURCE ${inner} PROPERTY COMPILE_OPTIONS -O2)
  endif()
  if(name STREQUAL gpu)
    target_link_libraries(weft_gpu ${scope} weft_webgpu)
  endif()
  foreach(dep IN LISTS arg_DEPS)
    target_link_libraries(weft_${name} ${scope} weft_${dep})
  endforeach()
endfunction()

# weft_wgsl(TARGET): puts the kernels src/**/*.wgsl into a library, as src/ops/wgsl.h declares them.
function(weft_wgsl target)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.wgsl)
  set(script ${CMAKE_SOURCE_DIR}/cmake/wgsl.cmake)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/wgsl_files.cc
                     COMMAND ${CMAKE_COMMAND} "-DFILES=${files}" -DOUT=${CMAKE_BINARY_DIR}/wgsl_files.cc
                             -DKERNELS=${CMAKE_BINARY_DIR}/wgsl -DSTRIP=${WASI} -P ${script}
                     DEPENDS ${files} ${script} VERBATIM)
  target_sources(${target} PRIVATE ${CMAKE_BINARY_DIR}/wgsl_files.cc)
endfunction()
