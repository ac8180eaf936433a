{
  "targets": [
    {
      "target_name": "millrace_server",
      "sources": ["src/binding.cc"],
      "dependencies": ["<!(node -p \"require('@millrace/native').gypTarget\")"]
    }
  ]
}
