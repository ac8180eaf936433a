# Instruments everything that is built with the sanitizers in MILLRACE_SANITIZE; any finding ends the program.
# Without the check of virtual tables: it reads memory through a pipe, and takes any object for a bad one in a process
# that has no descriptor left, which tests bring about.
if(MILLRACE_SANITIZE)
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer -g1 -O1)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
endif()
