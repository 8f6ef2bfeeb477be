#include "support/capture.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <tuple>

namespace test {
namespace {

std::string without_chunks(std::string_view raw) {
    std::string body;
    // A live stream was recorded for some time only: it may end anywhere.
    while (!raw.empty()) {
        const auto line_end = raw.find("\r\n");
        if (line_end == std::string_view::npos) break;
        const auto size = std::stoul(std::string(raw.substr(0, line_end)), nullptr, 16);
        if (size == 0) break;
        raw.remove_prefix(line_end + 2);
        body += raw.substr(0, size);
        raw.remove_prefix(std::min(raw.size(), size + 2));
    }
    return body;
}

std::string lower(std::string_view s) {
    std::string out(s);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

}  // namespace

std::filesystem::path data_folder() { return DYNCONF_TEST_DATA; }

std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("no file " + path.string());
    return {std::istreambuf_iterator<char>(in), {}};
}

capture load_capture(const std::string& folder, const std::string& name) {
    const auto captures = data_folder() / "captures";
    capture c{.folder = folder, .name = name, .path = {}, .status = 0, .body = {}};

    const auto request = captures / "requests" / (name + ".req");
    if (std::filesystem::exists(request)) {
        const std::string text = read_file(request);
        const auto from = text.find(' ') + 1;
        c.path = text.substr(from, text.find(' ', from) - from);
    }

    const std::string raw = read_file(captures / folder / (name + ".resp"));
    const auto head_end = raw.find("\r\n\r\n");
    if (head_end == std::string::npos) throw std::runtime_error("no HTTP head in " + name);
    const std::string head = lower(std::string_view(raw).substr(0, head_end + 2));
    c.status = static_cast<unsigned>(std::stoul(raw.substr(9, 3)));
    const std::string_view rest = std::string_view(raw).substr(head_end + 4);

    constexpr std::string_view length = "\r\ncontent-length: ";
    if (head.find("\r\ntransfer-encoding: chunked\r\n") != std::string::npos) c.body = without_chunks(rest);
    else if (const auto at = head.find(length); at != std::string::npos)
        c.body = rest.substr(0, std::stoul(head.substr(at + length.size())));
    else c.body = rest;
    return c;
}

const std::vector<capture>& all_captures() {
    static const std::vector<capture> all = [] {
        std::vector<capture> found;
        for (const auto& folder : std::filesystem::directory_iterator(data_folder() / "captures")) {
            if (!folder.is_directory() || folder.path().filename() == "requests") continue;
            for (const auto& file : std::filesystem::directory_iterator(folder.path()))
                found.push_back(load_capture(folder.path().filename().string(), file.path().stem().string()));
        }
        std::sort(found.begin(), found.end(), [](const capture& a, const capture& b) {
            return std::tie(a.folder, a.name) < std::tie(b.folder, b.name);
        });
        return found;
    }();
    return all;
}

}  // namespace test
