{
  "targets": [
    {
      "target_name": "millrace_feed",
      "sources": ["src/binding.cc"],
      "dependencies": ["<!(node -p \"require('@millrace/native').gypTarget\")"]
    }
  ]
}
