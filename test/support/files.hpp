#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace dynconf::test {

inline std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// In place, as an editor does.
inline void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

/// In one step, as whoever reads the file would like it.
inline void place(const std::string& text, const std::string& at) {
    write(at + ".new", text);
    std::filesystem::rename(at + ".new", at);
}

}  // namespace dynconf::test
