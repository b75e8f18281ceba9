# Writes one .cc with the text of all kernels (declared in src/ops/wgsl.h) and each text as a file of its own, for tint:
#
#   cmake "-DFILES=a.wgsl;b.wgsl" -DOUT=wgsl_files.cc -DKERNELS=folder -P wgsl.cmake
#
# A kernel is a file with an entry point (@compute). `// uses: blocks, reduce` at its top names others, without entry points,
# whose text follows the kernel's, each once; they may name more. They come behind because the order of declarations is free
# in WGSL while directives come first: the kernel's, also those in its marked block, stay where they are, and so do the
# lines that error messages name.
cmake_minimum_required(VERSION 3.25)

function(stop message)
  message(FATAL_ERROR "wgsl: ${message}")
endfunction()

set(names "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  if(name IN_LIST names)
    stop("${file} and ${path_${name}} have one name")
  endif()
  list(APPEND names ${name})
  set(path_${name} ${file})
  file(READ ${file} text_${name})
  set(uses_${name} "")
  if("${text_${name}}" MATCHES "(^|\n)// uses:([^\n]*)")
    string(REGEX MATCHALL "[A-Za-z0-9_]+" uses_${name} "${CMAKE_MATCH_2}")
  endif()
endforeach()

# parts of NAME: what it uses, and what that uses.
function(collect name)
  foreach(used IN LISTS uses_${name})
    if(NOT used IN_LIST names)
      stop("${path_${name}} uses '${used}', expected the name of a .wgsl file")
    elseif("${text_${used}}" MATCHES "@compute")
      stop("${path_${name}} uses '${used}', which is a kernel itself (@compute)")
    elseif("${text_${used}}" MATCHES "(^|\n)(enable|requires|// specialise)")
      stop("${path_${used}} has a directive or a marked block: these belong to the kernels that use it")
    elseif(NOT used IN_LIST parts)
      list(APPEND parts ${used})
      collect(${used})
    endif()
  endforeach()
  set(parts "${parts}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${KERNELS})
set(table "")
foreach(name IN LISTS names)
  set(parts "")
  collect(${name})
  if("${text_${name}}" MATCHES "@compute")
    set(text "${text_${name}}")
    foreach(part IN LISTS parts)
      string(APPEND text "\n// ── ${part}.wgsl\n${text_${part}}")
    endforeach()
    file(WRITE ${KERNELS}/${name}.wgsl "${text}")
    string(APPEND table "    {\"${name}\", R\"wgsl(${text})wgsl\"},\n")
  endif()
endforeach()
file(WRITE ${OUT} "// Written by cmake/wgsl.cmake.
#include \"ops/wgsl.h\"

namespace weft {

std::span<const WgslKernel> wgsl_kernels() {
  static constexpr WgslKernel kKernels[] = {
${table}    {},
  };
  return std::span(kKernels).first(std::size(kKernels) - 1);
}

}  // namespace weft
")
