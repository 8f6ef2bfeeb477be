#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace test {

/// A recorded answer of a real gateway: test/data/captures.
struct capture {
    std::string folder;   // server and gateway version
    std::string name;
    std::string path;     // that the request asked for
    unsigned status = 0;
    std::string body;     // of the first answer on the connection, without chunk framing
};

capture load_capture(const std::string& folder, const std::string& name);
/// All of them, for tests that hold for whatever a server ever said.
const std::vector<capture>& all_captures();

std::string read_file(const std::filesystem::path&);
std::filesystem::path data_folder();

}  // namespace test
