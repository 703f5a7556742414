# An installed tree that travels: the libraries of others that the program and its plug-ins need lie beside them, found
# by $ORIGIN alone; the C and C++ runtimes are the system's, and CUDA and cuDNN stay where they are. `cpack` makes an
# archive of it. Off for who packages for a distribution, where those libraries are packages of their own.
option(REGIMEN_INSTALL_LIBRARIES "Install the libraries of others beside the plug-ins" ON)

get_property(plugins GLOBAL PROPERTY REGIMEN_INSTALLED_PLUGINS)
list(TRANSFORM plugins REPLACE "(.+)" "\"$<TARGET_FILE:\\1>\"")
list(JOIN plugins " " plugins)
if(REGIMEN_INSTALL_LIBRARIES)
  install(CODE "
    file(GET_RUNTIME_DEPENDENCIES EXECUTABLES \"$<TARGET_FILE:regimen>\" MODULES ${plugins}
         RESOLVED_DEPENDENCIES_VAR found
         PRE_EXCLUDE_REGEXES \"^lib(c|m|dl|rt|pthread|stdc\\\\+\\\\+|gcc_s)\\\\.so\" \"^ld-linux\" \"^linux-vdso\")
    foreach(library IN LISTS found)
      file(INSTALL \"\${library}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/regimen/libraries\" FOLLOW_SYMLINK_CHAIN)
    endforeach()")
endif()

install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs/ DESTINATION share/regimen/configs
        PATTERN CMakeLists.txt EXCLUDE PATTERN *.cpp EXCLUDE PATTERN *.hpp EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/data/stories.txt DESTINATION share/regimen/data)
foreach(page LICENSE README.md CHANGELOG.md CONTRIBUTING.md)
  install(FILES ${CMAKE_SOURCE_DIR}/${page} DESTINATION share/regimen)
endforeach()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION share/regimen/docs
        FILES_MATCHING PATTERN *.md PATTERN *.png PATTERN *.svg)
# The sources of the methods, for authors of plug-ins to read and to begin from; 0.2 MB.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/plugins/strategies ${CMAKE_SOURCE_DIR}/plugins/adapters
                  ${CMAKE_SOURCE_DIR}/plugins/rewards DESTINATION share/regimen/examples)
foreach(fixture actor_critic custom_op faulty online value_head)
  install(FILES ${CMAKE_SOURCE_DIR}/tests/fixtures/${fixture}.cpp DESTINATION share/regimen/examples/fixtures)
endforeach()
# The comparison of every kernel with the reference, to be run where the hardware is; there where the tests were built.
install(PROGRAMS ${CMAKE_BINARY_DIR}/bin/conformance_tests DESTINATION lib/regimen/tests OPTIONAL)

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME regimen-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_VENDOR Regimen)
set(CPACK_STRIP_FILES ON)
include(CPack)
