{
  "targets": [
    {
      "target_name": "millrace_slab",
      "sources": ["src/binding.cc"],
      "configurations": { "Debug": { "defines": ["MILLRACE_SLAB_GUARDS"] } },
      "include_dirs": ["<!@(node -p \"require('@millrace/native/gyp').includeDirs\")"],
      "defines": ["<!@(node -p \"require('@millrace/native/gyp').defines\")"],
      "cflags_cc": ["<!@(node -p \"require('@millrace/native/gyp').compile\")"],
      "ldflags": ["<!@(node -p \"require('@millrace/native/gyp').link\")"]
    }
  ]
}
