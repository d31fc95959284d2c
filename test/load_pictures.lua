-- load_pictures.lua: how fast, and in how much memory, a folder of photographs of mixed sizes becomes a set.
--   build/hz test/load_pictures.lua [count=3000] [folder=FOLDER]
-- Makes the photographs (photographs.lua); a folder that is given is kept, and taken as it is where it has some. Prints
-- seconds of the decoder alone (each file decoded and thrown away, in a process of one thread), of reading all into a
-- set by every thread, by the clock and of processor time; what reading has of the decoder's speed on as many cores,
-- by both; the memory that reading takes beside what all pictures would; and what hz sweep FOLDER dry=true says.
local hz = require 'hz'
local C = require 'hz.c'.C
local codec = require 'hz.codec.codec'
local file = require 'hz.base.file'
local scan = require 'hz.data.scan'

local here, exe = arg[0]:match '^(.*/)' or '', io.open('/proc/self/cmdline'):read '*a':match '^%Z+'

local knob = hz.args({
  { 'count', 3000, 'int', 'photographs', min = 10 },
  { 'most', 1024, 'int', 'pixels of the longest side', min = 100, max = 4096 },
  { 'folder', nil, 'string', 'folder to keep' },
  { 'part', 'all', 'string', 'what this process does', choices = { 'all', 'decode', 'read' } },
}, ...)

local function peak_mb() return file.read_all '/proc/self/status':match 'VmHWM:%s*(%d+)' / 1024 end

-- By the clock, and of processor time.
local function seconds(f)
  local start, busy = C.hz_seconds(), os.clock()
  f()
  return C.hz_seconds() - start, os.clock() - busy
end

-- ---- in a process of their own ----

local parts = {}

function parts.decode()
  local decoders = { JPEG = codec.jpeg {}, PNG = codec.png {} }
  local files = scan.folder(knob.folder).files
  print(seconds(function()
    for _, f in ipairs(files) do decoders[f.head.kind]:decode(file.read_all(f.path)):free() end
  end))
end

function parts.read()
  local before, set = peak_mb(), nil
  local options = { path = knob.folder, size = 64, orient = true, split = 'train' }
  local took, busy = seconds(function() set = hz.data('folder', options) end)
  print(took, busy, peak_mb() - before, #set)
end

-- ---- all ----

local function run(part, threads)
  local p = io.popen(("HZ_THREADS=%d '%s' '%s' part=%s folder='%s'"):format(threads, exe, arg[0], part, knob.folder))
  local text = p:read '*a'
  p:close()
  return text:match '(%S+)%s*(%S*)%s*(%S*)'
end

function parts.all()
  local own = not knob.folder
  knob.folder = knob.folder or os.tmpname() .. '.photographs'
  if file.exists(knob.folder) ~= 'folder' then
    print(('making %d photographs of 96 to %d pixels'):format(knob.count, knob.most))
    local photographs = assert(loadfile(here .. 'photographs.lua'))()
    photographs.make(knob.folder, knob.count, { least = 96, most = knob.most, classes = 3 })
  end
  local pixels, n = 0, 0
  for _, f in ipairs(scan.folder(knob.folder).files) do
    pixels, n = pixels + f.head.width * f.head.height * 3, n + 1
  end
  local threads = C.hz_cpu_threads()
  local alone, alone_busy = run('decode', 1)
  local took, busy, peak = run('read', threads)
  print(('%d photographs, %.0f MB as pixels'):format(n, pixels / 2 ^ 20))
  print(('decoder alone, one thread   %7.2f s, %7.2f s of processors'):format(alone, alone_busy))
  print(('read as 64x64, %2d threads   %7.2f s, %7.2f s of processors'):format(threads, took, busy))
  print(('of the decoder\'s speed on as many cores: %.0f %% by the clock, %.0f %% by processor time'):format(
    100 * alone / threads / took, 100 * alone_busy / busy))
  print(('memory that reading takes   %7.1f MB'):format(peak))
  io.stdout:flush()
  os.execute(("'%s' sweep '%s' dry=true"):format(exe, knob.folder))
  if own then os.execute(("rm -r '%s'"):format(knob.folder)) end
end

parts[knob.part]()
