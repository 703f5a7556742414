# regimen_add_plugin(NAME sources...): a shared library NAME.so that exports one symbol, regimen_plugin_v1, and has
# no undefined ones; `cmake --install` puts it into lib/regimen. Name it after the id it offers: the host finds it
# fastest under that.
#
# Set REGIMEN_PLUGIN_DIRECTORY to choose where the library is built, and REGIMEN_PLUGIN_INSTALL to OFF to leave the
# install rule out.
#
# Hidden visibility, the hidden SDK namespace and the version script are all needed: without them two plug-ins that
# each define a class `Lora` would share one vtable.
function(regimen_add_plugin NAME)
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)
  add_library(${NAME} MODULE ${ARGN})
  target_link_libraries(${NAME} PRIVATE RegimenSDK::abi)
  target_compile_features(${NAME} PRIVATE cxx_std_20)
  set_target_properties(${NAME} PROPERTIES
    PREFIX "" SUFFIX ".so" CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF LINK_DEPENDS ${map})
  target_link_options(${NAME} PRIVATE -Wl,--version-script=${map})
  if(NOT REGIMEN_SANITIZE)  # a sanitizer's symbols are undefined until the program provides them
    target_link_options(${NAME} PRIVATE -Wl,-z,defs)
  endif()
  if(DEFINED REGIMEN_PLUGIN_DIRECTORY)
    set_target_properties(${NAME} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${REGIMEN_PLUGIN_DIRECTORY})
  endif()
  # Writable by the owner alone, whatever the umask: the host refuses a file or a folder that others may write to.
  add_custom_command(TARGET ${NAME} POST_BUILD VERBATIM
                     COMMAND chmod go-w $<TARGET_FILE:${NAME}> $<TARGET_FILE_DIR:${NAME}>)
  if(NOT DEFINED REGIMEN_PLUGIN_INSTALL OR REGIMEN_PLUGIN_INSTALL)
    install(TARGETS ${NAME} LIBRARY DESTINATION lib/regimen
            PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  endif()
endfunction()
