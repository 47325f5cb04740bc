//! Images that are not in a registry, through skopeo's proxy protocol. One thread owns the proxy and
//! serves any number of readers; when the last one is gone, so is skopeo.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use containers_image_proxy::{Error, ImageProxy, ImageProxyConfig, OpenedImage};
use nestos_formats::image_ref::ImageRef;
use nestos_host::term::WithHint;
use oci_spec::image::{Descriptor, Digest};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::verified::Verified;
use super::{ImageSource, Options, RawManifest};

/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// How many chunks wait for a reader.
const CHUNKS: usize = 4;
/// After this long without a byte skopeo is asked whether it is done: it does not say so itself.
const IDLE: Duration = Duration::from_secs(1);
/// How long skopeo may take to put its temporary files away.
const FAREWELL: Duration = Duration::from_secs(5);

/// An image that skopeo opened.
#[derive(Debug)]
pub(super) struct Proxied {
    image: String,
    jobs: mpsc::UnboundedSender<Job>,
}

enum Job {
    Manifest(oneshot::Sender<Result<RawManifest>>),
    Blob(Digest, u64, mpsc::Sender<io::Result<Vec<u8>>>),
}

struct Session {
    proxy: ImageProxy,
    image: OpenedImage,
    stall: Duration,
}

impl Proxied {
    /// Starts skopeo and lets it open the image.
    pub(super) fn open(image: &ImageRef, options: &Options) -> Result<Self> {
        let (jobs, todo) = mpsc::unbounded_channel();
        let (opened, answer) = oneshot::channel();
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .context("cannot set up the connection to skopeo")?;
        let (name, stall) = (image.to_string(), options.stall);
        let mut config = ImageProxyConfig::default();
        config.authfile.clone_from(&options.authfile);
        // skopeo is told to end when the thread ends that started it: this one lives as long as
        // the source and its readers.
        std::thread::Builder::new()
            .name("skopeo".to_owned())
            .spawn(move || serve(runtime, &name, config, stall, (opened, todo)))
            .context("cannot start the thread for skopeo")?;
        let image = image.to_string();
        match answer.blocking_recv() {
            Ok(opened) => opened.with_context(|| format!("cannot open {image}"))?,
            Err(_gone) => {
                return Err(anyhow!("skopeo is gone")).context(format!("cannot open {image}"));
            }
        }
        Ok(Self { image, jobs })
    }

    fn send(&self, job: Job) -> Result<()> {
        self.jobs.send(job).map_err(|_job| anyhow!("skopeo is gone"))
    }
}

impl ImageSource for Proxied {
    fn manifest(&self) -> Result<RawManifest> {
        let context = || format!("cannot read the manifest of {}", self.image);
        let (sender, answer) = oneshot::channel();
        self.send(Job::Manifest(sender)).with_context(context)?;
        let answer = answer.blocking_recv().unwrap_or_else(|_| Err(anyhow!("skopeo is gone")));
        answer.with_context(context)
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>> {
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let (digest, size) = (descriptor.digest().clone(), descriptor.size());
        let what = format!("blob {digest} of {}", self.image);
        self.send(Job::Blob(digest, size, sender))
            .with_context(|| format!("cannot read {what}"))?;
        let jobs = self.jobs.clone();
        let reader = BlobReader { chunks, chunk: Vec::new(), at: 0, what, _alive: jobs };
        Ok(Box::new(Verified::new(reader, descriptor, &self.image)?))
    }
}

/// What a task of the proxy's thread reads, for a thread that blocks.
struct BlobReader {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    what: String,
    _alive: mpsc::UnboundedSender<Job>,
}

impl Read for BlobReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            match self.chunks.blocking_recv() {
                None => return Ok(0),
                Some(Err(e)) => {
                    return Err(io::Error::new(
                        e.kind(),
                        format!("cannot read {}: {e}", self.what),
                    ));
                }
                Some(Ok(chunk)) => (self.chunk, self.at) = (chunk, 0),
            }
        }
        let n = buf.len().min(self.chunk.len() - self.at);
        buf[..n].copy_from_slice(&self.chunk[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

type Opened = oneshot::Sender<Result<()>>;

fn serve(
    runtime: Runtime,
    image: &str,
    config: ImageProxyConfig,
    stall: Duration,
    (opened, todo): (Opened, mpsc::UnboundedReceiver<Job>),
) {
    runtime.block_on(async {
        let session = match timeout(stall, Session::open(image, config, stall)).await {
            Ok(Ok(session)) => Arc::new(session),
            Ok(Err(e)) => return drop(opened.send(Err(e))),
            Err(_elapsed) => return drop(opened.send(Err(silent(stall).into()))),
        };
        // Nobody waits when the opener is gone; then there are no jobs either.
        drop(opened.send(Ok(())));
        work(&session, todo).await;
        // An image that is closed leaves no temporary files. Whether it is or not, skopeo ends now.
        drop(timeout(FAREWELL, session.proxy.close_image(&session.image)).await);
    });
    // A request that skopeo never answers must not keep this thread: its end is skopeo's end.
    runtime.shutdown_background();
}

async fn work(session: &Arc<Session>, mut todo: mpsc::UnboundedReceiver<Job>) {
    let mut tasks = JoinSet::new();
    while let Some(job) = todo.recv().await {
        while tasks.try_join_next().is_some() {}
        let session = Arc::clone(session);
        tasks.spawn(async move {
            match job {
                // Nobody waits for the answer when its receiver is gone.
                Job::Manifest(answer) => drop(answer.send(session.manifest().await)),
                Job::Blob(digest, size, chunks) => {
                    if let Err(e) = session.pump(&digest, size, &chunks).await {
                        drop(chunks.send(Err(e)).await);
                    }
                }
            }
        });
    }
    tasks.shutdown().await;
}

impl Session {
    async fn open(image: &str, config: ImageProxyConfig, stall: Duration) -> Result<Self> {
        let proxy = match ImageProxy::new_with_config(config).await {
            Ok(proxy) => proxy,
            Err(Error::SkopeoSpawnError(e)) if e.kind() == io::ErrorKind::NotFound => {
                return Err(anyhow!("cannot run skopeo: {e}")).hint("install the package skopeo");
            }
            Err(e) => return Err(anyhow!("{e}")),
        };
        let image = proxy.open_image(image).await.map_err(|e| anyhow!("{}", said(&e)))?;
        Ok(Self { proxy, image, stall })
    }

    async fn manifest(&self) -> Result<RawManifest> {
        let fetched = timeout(self.stall, self.proxy.fetch_manifest_raw_oci(&self.image)).await;
        let (digest, bytes) = match fetched {
            Ok(Ok(found)) => found,
            Ok(Err(e)) => return Err(anyhow!("{}", said(&e))),
            Err(_elapsed) => return Err(silent(self.stall).into()),
        };
        Ok(RawManifest { digest, bytes })
    }

    /// Passes a blob on. skopeo closes the pipe only when it is asked to finish, and answers that
    /// only when all was read (skopeo#2878); asking blocks all other requests. So it is asked when
    /// everything should be there, or nothing comes, and then for a limited time.
    async fn pump(
        &self,
        digest: &Digest,
        size: u64,
        chunks: &mpsc::Sender<io::Result<Vec<u8>>>,
    ) -> io::Result<()> {
        let opened = timeout(self.stall, self.proxy.get_blob(&self.image, digest, size)).await;
        let (mut pipe, mut finish) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(e)) => return Err(io::Error::other(said(&e))),
            Err(_elapsed) => return Err(silent(self.stall)),
        };
        let (mut left, mut asked, mut finished, mut ended) = (size, size == 0, false, false);
        while !(finished && ended) {
            let patience = if asked { self.stall } else { IDLE };
            tokio::select! {
                done = &mut finish, if asked && !finished => {
                    done.map_err(|e| io::Error::other(said(&e)))?;
                    finished = true;
                }
                chunk = chunk(Pin::new(&mut pipe)), if !ended => {
                    let chunk = chunk?;
                    ended = chunk.is_empty();
                    left = left.saturating_sub(chunk.len() as u64);
                    asked |= ended || left == 0;
                    if !ended && chunks.send(Ok(chunk)).await.is_err() {
                        // The reader is gone.
                        return Ok(());
                    }
                }
                () = sleep(patience) => {
                    if asked {
                        return Err(silent(self.stall));
                    }
                    asked = true;
                }
            }
        }
        Ok(())
    }
}

async fn chunk(mut pipe: Pin<&mut (impl AsyncRead + Unpin)>) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK];
    let n = pipe.read(&mut chunk).await?;
    chunk.truncate(n);
    Ok(chunk)
}

fn silent(stall: Duration) -> io::Error {
    let text = format!("skopeo is silent for {} s", stall.as_secs_f32());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// Returns what skopeo said, without the names of its functions around it.
fn said(e: &Error) -> String {
    match e {
        Error::RequestInitiationFailure { error, .. }
        | Error::RetryableRequestFailure { error, .. } => error.to_string(),
        other => other.to_string(),
    }
}
