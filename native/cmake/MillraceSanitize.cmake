# Instruments everything that is built with the sanitizers in MILLRACE_SANITIZE; any finding ends the program.
if(MILLRACE_SANITIZE)
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1 -O1)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
endif()
