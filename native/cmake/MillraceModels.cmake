# One program for each native/model/NAME_model.cc, which runs the core's own headers under the checker beside it, and
# the checker's own tests. Not under sanitizers: the checker switches stacks, and has one thread.
file(GLOB models CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/model/*_model.cc" "${PROJECT_SOURCE_DIR}/model/checker/*_test.cc")
add_library(model_checker OBJECT "${PROJECT_SOURCE_DIR}/model/checker/explorer.cc")
target_link_libraries(model_checker PUBLIC millrace::core)
target_include_directories(model_checker PUBLIC "${PROJECT_SOURCE_DIR}/model")
# Fortified longjmp() takes a jump to another stack for an error.
target_compile_options(model_checker PUBLIC -Wall -Wextra -O2 -U_FORTIFY_SOURCE)
foreach(source IN LISTS models)
  get_filename_component(name "${source}" NAME_WE)
  add_executable(${name} "${source}")
  target_link_libraries(${name} PRIVATE model_checker GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}." PROPERTIES TIMEOUT 300)
endforeach()
