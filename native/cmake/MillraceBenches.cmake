# One program for each native/bench/NAME_bench.cc, and one target that builds them all.
find_package(benchmark REQUIRED)

add_custom_target(benches)
file(GLOB_RECURSE benches CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*_bench.cc")
foreach(source IN LISTS benches)
  get_filename_component(name "${source}" NAME_WE)
  add_executable(${name} "${source}")
  target_link_libraries(${name} PRIVATE millrace::core benchmark::benchmark benchmark::benchmark_main)
  target_compile_options(${name} PRIVATE -Wall -Wextra)
  add_dependencies(benches ${name})
endforeach()
