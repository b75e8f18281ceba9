# Writes one .cc with the text of all kernels (declared in src/ops/wgsl.h) and each text as a file of its own, for tint:
#
#   cmake "-DFILES=a.wgsl;b.wgsl" -DOUT=wgsl_files.cc -DKERNELS=folder -DSTRIP=OFF -P wgsl.cmake
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

# What the library holds. STRIP leaves out what a page need not download: comments, blanks, and the lines of marked blocks,
# which are examples that a specialisation replaces; the marks stay.
function(embedded name out)
  set(text "${text_${name}}")
  if(STRIP)
    string(REGEX REPLACE "\n *// (specialise|end)\n" "\n@@\\1\n" text "\n${text}")
    string(REGEX REPLACE "\n[ \t]*//[^\n]*" "" text "${text}")
    string(REGEX REPLACE "[ \t]*//[^\n]*" "" text "${text}")
    string(REGEX REPLACE "\n[ \t]+" "\n" text "${text}")
    string(REGEX REPLACE "\n\n+" "\n" text "${text}")
    string(REGEX REPLACE " *([,;:{}()]) *" "\\1" text "${text}")
    string(REGEX REPLACE "\n@@specialise\n.*\n@@end\n" "\n// specialise\n// end\n" text "${text}")
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${KERNELS})
set(texts "")
set(table "")
foreach(name IN LISTS names)
  embedded(${name} text)
  string(APPEND texts "constexpr std::string_view k_${name} = R\"wgsl(${text})wgsl\";\n")
  if(NOT "${text_${name}}" MATCHES "@compute")
    continue()
  endif()
  set(parts "")
  collect(${name})
  set(whole "${text_${name}}")
  set(list "k_${name}")
  foreach(part IN LISTS parts)
    string(APPEND whole "\n// ── ${part}.wgsl\n${text_${part}}")
    string(APPEND list ", k_${part}")
  endforeach()
  file(WRITE ${KERNELS}/${name}.wgsl "${whole}")
  list(LENGTH parts count)
  if(count GREATER 7)
    stop("${path_${name}} has more than 7 parts, directly and indirectly: raise kMaxWgslParts in src/ops/wgsl.h")
  endif()
  string(APPEND table "    {\"${name}\", {${list}}},\n")
endforeach()
file(WRITE ${OUT} "// Written by cmake/wgsl.cmake.
#include \"ops/wgsl.h\"

namespace weft {
namespace {
${texts}}  // namespace

std::span<const WgslKernel> wgsl_kernels() {
  static constexpr WgslKernel kKernels[] = {
${table}    {},
  };
  return std::span(kKernels).first(std::size(kKernels) - 1);
}

}  // namespace weft
")
