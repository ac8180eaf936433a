# One program for each native/bench/NAME_bench.cc, and one target that builds them all.
find_package(benchmark QUIET)
if(NOT benchmark_FOUND)
  message(FATAL_ERROR "Google Benchmark is missing: sudo apt-get install libbenchmark-dev")
endif()

add_custom_target(benches)
file(GLOB_RECURSE benches CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*_bench.cc")
# Peers that are libraries, where they are installed.
find_package(TBB QUIET)
foreach(source IN LISTS benches)
  get_filename_component(name "${source}" NAME_WE)
  add_executable(${name} "${source}")
  target_link_libraries(${name} PRIVATE millrace::core benchmark::benchmark benchmark::benchmark_main)
  if(TBB_FOUND)
    target_link_libraries(${name} PRIVATE TBB::tbb)
  endif()
  target_compile_options(${name} PRIVATE -Wall -Wextra)
  # A folder with the headers of peers that come as such, for example BS_thread_pool.hpp.
  if(DEFINED ENV{MILLRACE_BENCH_HEADERS})
    target_include_directories(${name} SYSTEM PRIVATE "$ENV{MILLRACE_BENCH_HEADERS}")
  endif()
  add_dependencies(benches ${name})
endforeach()
