# cmake -DFOLDER=… -P remove_rpath.cmake: the programs FOLDER/*.bin forget where the build folder's libraries are.
file(GLOB programs ${FOLDER}/*.bin)
foreach(program IN LISTS programs)
  file(RPATH_REMOVE FILE ${program})
endforeach()
