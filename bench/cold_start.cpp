// How long a start without etcd takes to serve its copy on disk: cold_start [KEYS [ROUNDS]], by default 10000 and 50.

#include "config/cache_files.hpp"
#include "config/kept_content.hpp"

#include <dynconf/config/manager.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

using namespace dynconf;
using steady = std::chrono::steady_clock;
namespace fs = std::filesystem;

namespace {

void leave_copy(const fs::path& path, int keys) {
    detail::cache_copy copy;
    copy.content.revision = keys;
    copy.content.cluster_id = 1;
    for (int i = 1; i <= keys; ++i) {
        detail::kept_key k;
        k.key = "/app/group" + std::to_string(i % 100) + "/key" + std::to_string(i);
        k.now = detail::kept_key::text{"a value of about forty bytes, number " + std::to_string(i), i};
        copy.content.keys.push_back(std::make_shared<const detail::kept_key>(std::move(k)));
    }
    copy.ranges = {key_range::prefix("/app/")};
    copy.as_of = std::chrono::system_clock::now();
    detail::cache_files(path).write(detail::encode_cache(copy), false).value();
}

struct times { double first_snapshot, started; };

times start_once(const fs::path& path, const std::shared_ptr<const schema>& what, int keys) {
    boost::asio::io_context io;
    settings nobody;
    nobody.endpoints = {"http://127.0.0.1:9"};
    manager_options options;
    options.cache.path = path;
    const auto begin = steady::now();
    const auto passed = [begin] { return std::chrono::duration<double, std::milli>(steady::now() - begin).count(); };
    config_manager config(io.get_executor(), what, nobody, options);
    times out{};
    const subscription first = config.subscribe([&](const snapshot&, const snapshot&) { out.first_snapshot = passed(); });
    config.start([&](error_code, const start_report& report) {
        out.started = passed();
        if (report.origin != origin::disk || config.current().size() != static_cast<std::size_t>(keys)) {
            std::cerr << "served from " << to_string(report.origin) << ": " << report.cache.cause.message() << '\n';
            std::exit(1);
        }
        config.stop([](error_code) {});
    });
    io.run();
    return out;
}

void print(const char* what, std::vector<double> ms) {
    std::sort(ms.begin(), ms.end());
    std::cout << what << ": median " << ms[ms.size() / 2] << " ms, worst " << ms.back() << " ms\n";
}

}  // namespace

int main(int argc, char** argv) {
    const int keys = argc > 1 ? std::atoi(argv[1]) : 10'000;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 50;
    const auto what = std::make_shared<const prefix_schema>("/app");
    const fs::path path = fs::temp_directory_path() / ("dynconf-cold-start-" + std::to_string(::getpid()));
    leave_copy(path, keys);
    std::cout << keys << " keys, " << fs::file_size(path) << " bytes on disk, " << rounds << " starts without etcd\n";
    std::vector<double> first, started;
    for (int i = 0; i < rounds; ++i) {
        const times t = start_once(path, what, keys);
        first.push_back(t.first_snapshot);
        started.push_back(t.started);
    }
    fs::remove(path);
    print("to the first snapshot", first);
    print("to the end of start()", started);
    return 0;
}
