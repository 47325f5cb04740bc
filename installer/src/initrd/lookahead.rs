//! A buffered reader whose next bytes can be seen, however the bytes arrive.

use std::io::{self, BufRead, Read};

const SIZE: usize = 128 * 1024;

/// Reads through a buffer.
#[derive(Debug)]
pub(super) struct Lookahead<R> {
    from: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
}

impl<R: Read> Lookahead<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: vec![0; SIZE], start: 0, end: 0, position: 0 }
    }

    /// Returns the number of bytes that were consumed.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Returns the next `count` bytes without consuming them; fewer at the end.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < count {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let end = self.end.min(self.start + count);
        Ok(&self.buffer[self.start..end])
    }

    /// Consumes zeros.
    pub(super) fn skip_zeros(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.fill_buf()?;
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            let all = zeros == buffer.len();
            self.consume(zeros);
            if !all || zeros == 0 {
                return Ok(());
            }
        }
    }
}

impl<R: Read> Read for Lookahead<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Large contents need no copy.
        let n = if self.start == self.end && buf.len() >= SIZE {
            let n = self.from.read(buf)?;
            self.position += n as u64;
            n
        } else {
            let mut available = self.fill_buf()?;
            let n = available.read(buf)?;
            self.consume(n);
            n
        };
        Ok(n)
    }
}

impl<R: Read> BufRead for Lookahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.end = self.from.read(&mut self.buffer)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        self.position += count as u64;
    }
}
