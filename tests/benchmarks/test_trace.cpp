// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/trace.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

namespace jkvm::benchmark {
namespace {

using namespace std::chrono_literals;

class TraceTest : public ::testing::Test {
protected:
    Result<Trace> read(const std::string &text)
    {
        std::ofstream(path_) << text;
        return read_trace(path_);
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("trace.csv");
};

TEST_F(TraceTest, ReferenceDefaultsToMediaTimePlusMinimumTransit)
{
    auto trace = read("media_ms,arrival_ms\n0,4.5\n20,23.25\n");
    ASSERT_TRUE(trace);
    ASSERT_EQ(trace->size(), 2u);
    EXPECT_EQ(trace->at(1).media, 20ms);
    EXPECT_EQ(trace->at(1).arrival, 23250us);
    EXPECT_EQ(trace->at(0).reference, 3250us);
    EXPECT_EQ(trace->at(1).reference, 23250us);
}

TEST_F(TraceTest, ReadsReferenceColumn)
{
    auto trace = read("media_ms,arrival_ms,reference_ms\n0,4.5,1\n20,23.25,21.5\n");
    ASSERT_TRUE(trace);
    EXPECT_EQ(trace->at(1).reference, 21500us);
}

TEST_F(TraceTest, ReadsCompressedTrace)
{
    auto *const file = gzopen(path_.c_str(), "wb");
    gzputs(file, "media_ms,arrival_ms\n0,4.5\n");
    gzclose(file);
    auto trace = read_trace(path_);
    ASSERT_TRUE(trace);
    EXPECT_EQ(trace->at(0).arrival, 4500us);
}

TEST_F(TraceTest, RejectsInvalidFiles)
{
    EXPECT_FALSE(read_trace(directory_.file("nothing")));
    EXPECT_FALSE(read(""));
    EXPECT_FALSE(read("media_ms,arrival_ms\n"));
    EXPECT_FALSE(read("0,4.5\n20,24.5\n"));
    EXPECT_FALSE(read("media_ms,arrival_ms\n0\n"));
    EXPECT_FALSE(read("media_ms,arrival_ms\n0,x\n"));
    EXPECT_FALSE(read("media_ms,arrival_ms\n0,inf\n"));
    EXPECT_FALSE(read("media_ms,arrival_ms\n0,4,5\n"));
    EXPECT_FALSE(read("media_ms,arrival_ms\n0,24\n20,23\n")) << "unsorted arrivals";
}

} // namespace
} // namespace jkvm::benchmark
