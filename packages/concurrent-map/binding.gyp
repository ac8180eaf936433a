{
  "targets": [
    {
      "target_name": "millrace_concurrent_map",
      "sources": ["src/binding.cc"],
      "dependencies": ["<!(node -p \"require('@millrace/native').gypTarget\")"]
    }
  ]
}
