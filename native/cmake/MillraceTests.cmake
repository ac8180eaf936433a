# One program for each native/test/NAME_test.cc, one ctest test for each TEST in it.
find_package(GTest REQUIRED)
include(GoogleTest)
enable_testing()

# Parsing gtest.h is most of what a test costs to compile: it is parsed once.
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/gtest_once.cc" "#include <gtest/gtest.h>\n")
add_library(gtest_once OBJECT "${CMAKE_CURRENT_BINARY_DIR}/gtest_once.cc")
target_link_libraries(gtest_once PRIVATE millrace::core GTest::gtest)
target_compile_options(gtest_once PRIVATE -Wall -Wextra)
target_precompile_headers(gtest_once PRIVATE <gtest/gtest.h>)

file(GLOB_RECURSE tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/test/*_test.cc")
foreach(source IN LISTS tests)
  get_filename_component(name "${source}" NAME_WE)
  add_executable(${name} "${source}")
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/test")
  target_link_libraries(${name} PRIVATE millrace::core GTest::gtest GTest::gtest_main)
  target_compile_options(${name} PRIVATE -Wall -Wextra)
  target_precompile_headers(${name} REUSE_FROM gtest_once)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}." PROPERTIES TIMEOUT 300)
endforeach()
